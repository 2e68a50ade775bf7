// The secret of this page: it comes in the URL's fragment, moves into sessionStorage at once and leaves the URL.

const KEY = "station.token";

export function token(): string | null {
  const found = /[#&]token=([\w-]+)/.exec(location.hash);
  if (found?.[1]) {
    sessionStorage.setItem(KEY, found[1]);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY);
}
