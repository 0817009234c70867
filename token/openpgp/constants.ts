/**
 * Numbers of the OpenPGP card application, version 3.4.1 ("OpenPGP application on ISO smart card
 * operating systems", Pietig, 2020); sections of it are cited.
 */

/** 4.2.1: RID of FSFE and the application's own byte; a card's full identifier has 16 bytes. */
export const OPENPGP_AID: Uint8Array = Uint8Array.of(0xd2, 0x76, 0x00, 0x01, 0x24, 0x01);

/** 4.2.1: length of a full identifier. */
export const AID_BYTES = 16;

/** 7.1: instruction bytes. None here resets or terminates a card: this client never does. */
export const OPENPGP_INS = {
  verify: 0x20,
  changeReferenceData: 0x24,
  performSecurityOperation: 0x2a,
  generateAsymmetric: 0x47,
  select: 0xa4,
  getData: 0xca,
  putData: 0xda,
} as const;

/** 4.4.1 and 4.4.3: data objects, as GET DATA names them in P1 and P2. */
export const OPENPGP_DO = {
  applicationRelated: 0x6e,
  cardholderRelated: 0x65,
  keyDerivation: 0xf9,
  applicationId: 0x4f,
  historicalBytes: 0x5f52,
  extendedLength: 0x7f66,
  discretionary: 0x73,
  extendedCapabilities: 0xc0,
  signatureAlgorithm: 0xc1,
  decryptionAlgorithm: 0xc2,
  authenticationAlgorithm: 0xc3,
  passwordStatus: 0xc4,
  fingerprints: 0xc5,
  generationTimes: 0xcd,
  /** User interaction flag of the decryption key: whether it asks for a touch. */
  decryptionTouch: 0xd7,
  keyInformation: 0xde,
  name: 0x5b,
  language: 0x5f2d,
  sex: 0x5f35,
} as const;

/** 4.4.1, "private use": who may read and write each. */
export const PRIVATE_OBJECT = {
  /** Anybody reads, PW1 (82) writes. */
  first: 0x0101,
  /** Anybody reads, PW3 writes. */
  second: 0x0102,
  /** PW1 (82) reads and writes. */
  third: 0x0103,
  /** PW3 reads and writes. */
  fourth: 0x0104,
} as const;

/** One of {@linkcode PRIVATE_OBJECT}. */
export type PrivateObject = typeof PRIVATE_OBJECT[keyof typeof PRIVATE_OBJECT];

/** 4.3 and 7.2.2: passwords, as P2 of VERIFY names them. */
export const PASSWORD = {
  /** PW1 for one signature, or for several. */
  signing: 0x81,
  /** PW1 for everything else: deciphering, private objects. */
  user: 0x82,
  /** PW3, the card's administrator. */
  administrator: 0x83,
} as const;

/** One of {@linkcode PASSWORD}. */
export type Password = typeof PASSWORD[keyof typeof PASSWORD];

/** 4.3.1: bytes of a password. */
export const PASSWORD_BYTES = { user: 6, administrator: 8, most: 127 } as const;

/** 7.2.11: P1 and P2 of PERFORM SECURITY OPERATION: DECIPHER, and its template's tags. */
export const DECIPHER = {
  p1: 0x80,
  p2: 0x86,
  template: 0xa6,
  publicKey: 0x7f49,
  point: 0x86,
} as const;

/** 7.2.14: P1 of GENERATE ASYMMETRIC KEY PAIR, and what names the decryption key. */
export const KEY_PAIR = { generate: 0x80, read: 0x81, decryption: 0xb8 } as const;

/** 4.4.3.9: first byte of algorithm attributes. */
export const KEY_ALGORITHM = { rsa: 0x01, ecdh: 0x12, ecdsa: 0x13, eddsa: 0x16 } as const;

/** 4.4.3.10: curves by their object identifiers, in hexadecimal. X25519 has an old and a new one. */
export const CURVES: ReadonlyMap<string, Curve> = new Map<string, Curve>([
  ["2b060104019755010501", "x25519"],
  ["2b656e", "x25519"],
  ["2b06010401da470f01", "ed25519"],
  ["2b6570", "ed25519"],
  ["2a8648ce3d030107", "p256"],
  ["2b81040022", "p384"],
  ["2b81040023", "p521"],
]);

/** A curve that a card may name. */
export type Curve = "x25519" | "ed25519" | "p256" | "p384" | "p521";

/** Algorithm attributes that ask for X25519 in the decryption key, as every such card takes them. */
export const X25519_ATTRIBUTES: Uint8Array = Uint8Array.fromHex("122b060104019755010501");

// Our own choices.

/** Longest answer: certificates apart, which this client doesn't read, no object is longer. */
export const LONGEST_ANSWER = 4096;
