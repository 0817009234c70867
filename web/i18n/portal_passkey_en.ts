import type { PasskeyMessages } from "./portal_messages.ts";

/** What terminals read about passkeys beside a card and beside a stick, in English. */
export const portalPasskeyEn: PasskeyMessages = {
  use: "Use a passkey",
  elsewhere: (name) => `Use a passkey: at ${name}`,
  add: "Add a passkey",
  name: "Name of the passkey",
  usualName: "My passkey",
  addSubmit: "Unlock and add",
  asking: "Answer the question of your device or security key.",
  added: "The passkey was added. Next time you can use it.",
  notAdded: "The passkey was not added. Ask the administrator of this gateway; " +
    "you can delete it from your device.",
  wrong: (left) =>
    `This passkey doesn't open this profile. ${left === 1 ? "1 try" : `${left} tries`} left.`,
  none: {
    "cancelled": () => "No passkey was used.",
    "no-prf": () =>
      "This passkey can't unlock anything: it lacks the PRF extension. Use another one.",
    "refused": (detail) => `The browser refused: ${detail}`,
  },
};
