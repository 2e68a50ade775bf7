import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bug", action="store_true", help="Test the bot with its bug.")


@pytest.fixture(scope="session")
def careful(request: pytest.FixtureRequest) -> bool:
    return not request.config.getoption("--bug")
