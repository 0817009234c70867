/** Runs in browsers. The state that the server put into the page ({@link Page}'s `state`). */
export function embeddedState<T>(): T {
  return JSON.parse(byId("state").textContent ?? "") as T;
}

/** The element with this id; every page that loads our code has it. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`Cannot run this page: it has no #${id}`);
  return element;
}

/** The language that the server rendered. */
export function pageLanguage(): "en" | "ja" {
  return document.documentElement.lang === "ja" ? "ja" : "en";
}
