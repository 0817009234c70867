/** Makes a switch over a union exhaustive: the compiler refuses a missing case. */
export function assertNever(value: never): never {
  throw new TypeError(`Cannot handle a value that the types rule out: ${JSON.stringify(value)}`);
}
