import type { StickMessages } from "./portal_messages.ts";
import { portalPasskeyEn } from "./portal_passkey_en.ts";

/** What terminals read in place of a card's words where the token is a stick, in English. */
export const portalStickEn: StickMessages = {
  noCard: {
    title: "Insert a stick",
    text: "Put your stick into the gateway's USB port to connect.",
  },
  reading: {
    title: "Reading the stick",
    text: "One moment. Leave the stick where it is.",
  },
  expired: (date) => ({
    title: "This stick has expired",
    text: `It was valid until ${date}. Ask whoever issued it to renew it.`,
  }),
  pinAsked: {
    title: "Enter your password",
    text: (holder) => `Stick of ${holder}.`,
    tries: (left) => left === 1 ? "1 try left." : `${left} tries left.`,
    wrong: (left) => `Wrong password. ${left === 1 ? "1 try" : `${left} tries`} left.`,
    lastTry: "After another wrong password you have to wait a little before you can try again.",
  },
  withId: {
    title: "Enter your user id and password",
    text: "This stick opens for its holder's user id and password together.",
    wrong: "The user id or the password is wrong. Please enter both again.",
    label: "User id",
    touch: "Touch the button or the metal of your key now: it waits 15 seconds.",
  },
  unlocking: {
    title: "Unlocking",
    text: "Please wait: the stick is being unlocked. Leave it where it is.",
  },
  blocked: {
    title: "This stick is blocked",
    text: "Too many wrong passwords. Take the stick out and bring it to whoever issued it.",
  },
  refused: {
    title: "This stick can't be used",
    fault: {
      "none-on-card": "There is no profile on this stick. Ask for the stick to be issued again.",
      "damaged": "The stick is damaged. Ask for it to be issued again.",
      "forged": "The stick was not signed by an issuer that this gateway trusts. " +
        "Give it to whoever is responsible for security.",
      "other-card": "The profile on this stick was made for another one. " +
        "Give the stick to whoever is responsible for security.",
      "older-generation": "The profile on this stick was replaced by a newer one. " +
        "Use the new stick, or ask for this one to be renewed.",
      "newer-version": "This stick needs a newer version of this gateway. Ask for an update.",
      "revoked": "This stick's profile was taken back by its issuer. Ask the issuer for a new one.",
      "hub-unknown": "The hub doesn't have its half of this stick's profile. " +
        "Ask whoever issued the stick to give it to the hub.",
      "hub-expired": "The hub says that this stick's profile has expired. Ask for a renewal.",
      "hub-refused": "The hub doesn't accept this stick's proof of itself. " +
        "Give the stick to whoever is responsible for security.",
      "unreadable-card": "The stick can't be read. Take it out and put it in again.",
      "unknown-kind":
        "This gateway does not know this kind of stick. Take it out and insert yours.",
    },
  },
  up: {
    title: "You are connected",
    text: (holder) => `Connected with the stick of ${holder}.`,
    until: (date) => `The stick is valid until ${date}.`,
    logOff: "To log off, pull the stick out.",
  },
  failed: {
    title: "That did not work",
    text: "The gateway could not connect. Take the stick out, put it in again and retry.",
    reason: (reason) => `Reason: ${reason}`,
  },
  form: {
    label: "Password",
    submit: "Unlock",
    sending: "Please wait…",
    privacy: "Your password is encrypted in this page. Only the stick's own process can read it.",
    needsScript: "To enter a password, allow JavaScript for this page. It reloads by itself.",
  },
  outcome: {
    busy: "Another password is being tried right now. Please wait.",
    notTried: "Your password was not tried: meanwhile another terminal entered a wrong one, " +
      "and this is the last try. Enter it again.",
    givenUp: "You gave up waiting. Your password was not tried.",
    notAsked: "No password is asked for at the moment.",
    stale: "The stick was changed in the meantime. Please enter the password again.",
    cardGone: "The stick was taken out. Insert it again.",
    unreachable: "The gateway does not answer. Check this device's connection and try again.",
    tooLong: "A password has at most 64 characters.",
  },
  passkey: {
    ...portalPasskeyEn,
    addText:
      "Enter the password above. Then your device or security key asks for your fingerprint, face " +
      "or screen lock. From then on it can take the password's place at this gateway. " +
      "The stick must be in the gateway all the same.",
  },
};
