import type { PortalMessages } from "./portal_messages.ts";
import { portalPasskeyEn } from "./portal_passkey_en.ts";

/** What terminals read, in English. */
export const portalEn: PortalMessages = {
  noReader: {
    title: "No card reader",
    text: "The gateway finds no card reader. Plug one in, or ask whoever looks after it.",
  },
  noCard: {
    title: "Insert a card",
    text: "Put your card into the gateway's reader to connect.",
  },
  noToken: {
    title: "Insert a card or a stick",
    text: "Put your card into the gateway's reader, or your stick into its USB port, to connect.",
  },
  reading: {
    title: "Reading the card",
    text: "One moment. Leave the card in the reader.",
  },
  expired: (date) => ({
    title: "This card has expired",
    text: `It was valid until ${date}. Ask whoever issued it for a new one.`,
  }),
  pinAsked: {
    title: "Enter your PIN",
    text: (holder) => `Card of ${holder}.`,
    tries: (left) => left === 1 ? "1 try left." : `${left} tries left.`,
    wrong: (left) => `Wrong PIN. ${left === 1 ? "1 try" : `${left} tries`} left.`,
    lastTry: "This is the last try: another wrong PIN blocks the card.",
  },
  withId: {
    title: "Enter your user id and PIN",
    text: "This card opens for its holder's user id and PIN together.",
    wrong: "The user id or the PIN is wrong. Please enter both again.",
    label: "User id",
    touch: "Touch the button or the metal of your key now: it waits 15 seconds.",
  },
  unlocking: {
    title: "Unlocking",
    text: "Please wait: the card is being unlocked. Leave it in the reader.",
  },
  slow: "This takes longer than usual. It goes on by itself.",
  touch: {
    title: "Touch your key",
    text: "The PIN is right. Touch the button or the metal of your key now: it waits 15 seconds.",
  },
  suspended: {
    title: "The card is in use",
    text: (busy, until) => `${busy} is using the card, until ${until} at the latest.`,
    goesOn: (holder) =>
      holder === undefined
        ? "Your card is unlocked as soon as it is free, by itself."
        : `The card of ${holder} is unlocked as soon as it is free, by itself.`,
    mine: "Your PIN waits, encrypted. Wait, or give up.",
    giveUp: "Give up waiting",
  },
  blocked: {
    title: "This card is blocked",
    text: "Too many wrong PINs. Take the card out and bring it to whoever issued it: " +
      "they unblock it and give it a new PIN.",
  },
  refused: {
    title: "This card can't be used",
    fault: {
      "none-on-card": "There is no profile on this card. Ask for the card to be issued again.",
      "damaged": "The profile on this card is damaged. Ask for the card to be issued again.",
      "forged": "The profile on this card was not signed by an issuer that this gateway trusts. " +
        "Give the card to whoever is responsible for security.",
      "other-card": "The profile on this card was made for another card. " +
        "Give the card to whoever is responsible for security.",
      "older-generation": "The profile on this card was replaced by a newer one. " +
        "Use the new card, or ask for this one to be issued again.",
      "newer-version":
        "The profile on this card needs a newer version of this gateway. Ask for an update.",
      "revoked": "This card's profile was taken back by its issuer. Ask the issuer for a new one.",
      "hub-unknown": "The hub doesn't have its half of this card's profile. " +
        "Ask whoever issued the card to give it to the hub.",
      "hub-expired": "The hub says that this card's profile has expired. Ask for it to be renewed.",
      "hub-refused": "The hub doesn't accept this card's proof of itself. " +
        "Give the card to whoever is responsible for security.",
      "unreadable-card": "The card gives no usable answer. " +
        "Take it out, put it in again, chip first.",
      "unknown-kind": "This gateway does not know this kind of card. Take it out and insert yours.",
    },
  },
  up: {
    title: "You are connected",
    text: (holder) => `Connected with the card of ${holder}.`,
    until: (date) => `The card is valid until ${date}.`,
    logOff: "To log off, pull the card out of the reader.",
  },
  failed: {
    title: "That did not work",
    text: "The gateway could not connect. Take the card out, put it in again and retry.",
    reason: (reason) => `Reason: ${reason}`,
  },
  form: {
    label: "PIN",
    submit: "Unlock",
    sending: "Please wait…",
    privacy: "Your PIN is encrypted in this page. Only the card's own process can read it.",
    needsScript: "To enter a PIN, allow JavaScript for this page. It reloads by itself.",
  },
  outcome: {
    busy: "Another PIN is being tried right now. Please wait.",
    notTried: "Your PIN was not tried: meanwhile another terminal entered a wrong one, and this " +
      "is the last try. Enter it again only if you are sure of it.",
    givenUp: "You gave up waiting. Your PIN was not tried.",
    notAsked: "No PIN is asked for at the moment.",
    stale: "The card was changed in the meantime. Please enter the PIN again.",
    cardGone: "The card was taken out. Insert it again.",
    unreachable: "The gateway does not answer. Check this device's connection and try again.",
    tooLong: "A PIN has at most 64 characters.",
  },
  passkey: {
    ...portalPasskeyEn,
    addText:
      "Enter the PIN above. Then your device or security key asks for your fingerprint, face " +
      "or screen lock. From then on it can take the PIN's place at this gateway. " +
      "The card must be in the gateway all the same.",
  },
  share: {
    busy: (holder, since) => `The card reader is busy: ${holder} has used the card since ${since}.`,
    until: (until) => `It is free again by ${until}.`,
    mine: (until) => `This device uses the card now, until ${until} at the latest.`,
    place: (place) =>
      place === 1
        ? "This device is next. Wait, or give up."
        : `This device is number ${place} in line. Wait, or give up.`,
    waiting: (count) =>
      count === 1 ? "1 device waits for the card." : `${count} devices wait for the card.`,
    giveUp: "Give up waiting",
    giveBack: "Give the card back",
  },
  speech: { on: "Read aloud", off: "Stop reading aloud" },
  language: "Language",
  offline: "Connection to the gateway lost. Trying again…",
  plain: {
    title: "This network needs a card",
    text: "You reach the Internet or the office from here once a card is unlocked at the gateway.",
    warning: "The next page is encrypted. If your browser does not know this gateway yet, " +
      "it warns you once. Enter a PIN only on that page.",
    go: "Continue to the gateway",
  },
};
