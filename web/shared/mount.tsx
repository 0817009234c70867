/** Runs in browsers. */
import { type JSXNode, useState } from "hono/jsx";
import { render } from "hono/jsx/dom";

/**
 * Puts a view into `container` and keeps it up to date: what changed is changed in place, so that
 * focus, selection and typed text stay.
 * @returns Shows another state.
 */
export function mount<S>(
  container: HTMLElement,
  view: (state: S) => unknown,
  initial: S,
): (state: S) => void {
  let show: (state: S) => void = () => {};
  const Root = (): JSXNode => {
    const [state, setState] = useState<{ value: S }>({ value: initial });
    show = (value) => setState({ value });
    return view(state.value) as JSXNode;
  };
  render(<Root />, container);
  return (state) => show(state);
}
