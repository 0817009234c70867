/** What passkeys are called; runs in browsers too. @core */

/** The kind of the stanzas that hold names; nobody's way in. */
export const PASSKEY_NAME_LABEL = "sekisho-name";

/** Longest name of a passkey, in characters. */
export const LONGEST_PASSKEY_NAME = 32;

/** Whether a passkey can be called that: a line of printable characters, no space around it. */
export function isPasskeyName(name: string): boolean {
  const length = [...name].length;
  return length >= 1 && length <= LONGEST_PASSKEY_NAME && name.trim() === name &&
    !/[\p{C}\p{Zl}\p{Zp}]/u.test(name);
}

/** The name, or one with a number behind it where that is taken. */
export function unusedName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name;
  const short = [...name].slice(0, LONGEST_PASSKEY_NAME - 3).join("").trimEnd();
  for (let number = 2;; number++) {
    const next = `${short} ${number}`;
    if (!taken.includes(next)) return next;
  }
}
