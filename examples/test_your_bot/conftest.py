import pytest


def pytest_addoption(parser):
    parser.addoption("--bug", action="store_true", help="Test the bot with its bug.")


@pytest.fixture(scope="session")
def careful(request):
    return not request.config.getoption("--bug")
