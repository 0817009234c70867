/** What may be wrong with a stick, and how people are told. @core */

/** Where a stick is damaged, or why it isn't taken. */
export type StickFault =
  /** Neither a partition table nor a hidden part of this project. */
  | { readonly fault: "no-stick" }
  /** Both copies of the partition table are. */
  | { readonly fault: "table-damaged" }
  | { readonly fault: "head-damaged" }
  /** The sealed key that the password opens. */
  | { readonly fault: "key-damaged" }
  | { readonly fault: "profile-damaged" }
  /** `chunk` counts from 1; 0 is the container's own head. */
  | { readonly fault: "program-damaged"; readonly chunk: number; readonly chunks: number }
  /** The medium ends before the hidden part does. */
  | { readonly fault: "cut-off" }
  /** The medium itself can't be read there. */
  | { readonly fault: "unreadable" }
  /** Well formed, but not what a trusted issuer signed. */
  | { readonly fault: "forged" }
  /** Written by a later version of this program. */
  | { readonly fault: "newer-version" };

/** One line: what is wrong, and what to do. */
export function explainStickFault(fault: StickFault): string {
  const administrator = "tell your administrator";
  switch (fault.fault) {
    case "no-stick":
      return "Cannot use the stick: it carries no client; make one with token format";
    case "table-damaged":
      return `Cannot use the stick: its partition table is damaged; ${administrator}`;
    case "head-damaged":
      return `Cannot use the stick: the head of its hidden part is damaged; ${administrator}`;
    case "key-damaged":
      return `Cannot use the stick: its sealed key is damaged; ${administrator}`;
    case "profile-damaged":
      return `Cannot use the stick: its profile is damaged; ${administrator}`;
    case "program-damaged": {
      const where = fault.chunk === 0 ? "its head" : `chunk ${fault.chunk} of ${fault.chunks}`;
      return `Cannot use the stick: its program is damaged at ${where}; ${administrator}`;
    }
    case "cut-off":
      return `Cannot use the stick: it ends before its data does; ${administrator}`;
    case "unreadable":
      return `Cannot use the stick: it can't be read; plug it in again, or ${administrator}`;
    case "forged":
      return "Cannot use the stick: it is not what a trusted issuer made; " +
        `don't use it, and ${administrator}`;
    case "newer-version":
      return "Cannot use the stick: a later version made it; update this program";
  }
}
