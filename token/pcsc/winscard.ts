/**
 * Numbers of PC/SC as pcsclite defines them: pcsclite.h and winscard.h of pcsc-lite 1.9 (64-bit
 * Linux: DWORD, LONG, SCARDCONTEXT and SCARDHANDLE are 8 bytes wide).
 */
export const SCOPE_SYSTEM = 2n;

export const SHARE_EXCLUSIVE = 1n;

export const PROTOCOL = { t0: 1n, t1: 2n } as const;

export const DISPOSITION = { leave: 0n, reset: 1n, unpower: 2n } as const;

/** Bits of dwCurrentState and dwEventState; bits 16 to 31 count events. */
export const STATE = {
  changed: 0x0002,
  unknown: 0x0004,
  unavailable: 0x0008,
  empty: 0x0010,
  present: 0x0020,
  exclusive: 0x0080,
  mute: 0x0200,
} as const;

/** As many readers as pcscd serves, and as many entries as one wait may have (PCSCLITE_MAX_READERS_CONTEXTS). */
export const MOST_READERS = 16;

/** A reader name that means "tell me when readers come and go". */
export const PNP_NOTIFICATION = "\\\\?PnP?\\Notification";

/** SCARD_READERSTATE: name, user data, current state, event state, ATR length, 33 bytes, padding. */
export const READERSTATE = {
  bytes: 80,
  name: 0,
  current: 16,
  event: 24,
  atrLength: 32,
  atr: 40,
  longestAtr: 33,
} as const;

/** Return codes, masked to 32 bits. */
export const CODE = {
  ok: 0,
  internalError: 0x80100001,
  cancelled: 0x80100002,
  invalidHandle: 0x80100003,
  unknownReader: 0x80100009,
  timeout: 0x8010000a,
  sharingViolation: 0x8010000b,
  noSmartcard: 0x8010000c,
  protocolMismatch: 0x8010000f,
  notReady: 0x80100010,
  systemCancelled: 0x80100012,
  communicationError: 0x80100013,
  notTransacted: 0x80100016,
  readerUnavailable: 0x80100017,
  noService: 0x8010001d,
  serviceStopped: 0x8010001e,
  noReaders: 0x8010002e,
  dataLost: 0x8010002f,
  unsupportedCard: 0x80100065,
  unresponsiveCard: 0x80100066,
  unpoweredCard: 0x80100067,
  resetCard: 0x80100068,
  removedCard: 0x80100069,
} as const;
