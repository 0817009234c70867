/**
 * Numbers of the PIV card interface, shared by the client and by the software card.
 *
 * Sources: NIST SP 800-73-4 ("73", part 1 is the data model, part 2 the card commands) and
 * SP 800-78-4 ("78", algorithms). Numbers that Yubico added are named YUBICO and come from
 * https://docs.yubico.com/yesdk/users-manual/application-piv/.
 * Our own choices stand apart, at the end.
 */

/** 73-1 section 2.2: the PIV application's full identifier, version 1.0. */
export const PIV_AID: Uint8Array = Uint8Array.of(
  0xa0,
  0x00,
  0x00,
  0x03,
  0x08,
  0x00,
  0x00,
  0x10,
  0x00,
  0x01,
  0x00,
);

/** 73-1 section 2.2: the registered provider (NIST). The shortest identifier that selects PIV. */
export const PIV_AID_RID: Uint8Array = PIV_AID.slice(0, 5);

/** 73-2 section 3.1.1: SELECT matches with the version's two bytes left out. */
export const PIV_AID_WITHOUT_VERSION: Uint8Array = PIV_AID.slice(0, 9);

/** Instruction bytes. 73-2 section 3 (table 4), ISO 7816-4 for GET RESPONSE. */
export const PIV_INS = {
  verify: 0x20,
  changeReferenceData: 0x24,
  resetRetryCounter: 0x2c,
  generateAsymmetric: 0x47,
  generalAuthenticate: 0x87,
  select: 0xa4,
  getResponse: 0xc0,
  getData: 0xcb,
  putData: 0xdb,
} as const;

/** Instruction bytes that Yubico added; every one is optional on a card. */
export const YUBICO_INS = {
  moveKey: 0xf6,
  getMetadata: 0xf7,
  getSerial: 0xf8,
  attest: 0xf9,
  setPinRetries: 0xfa,
  reset: 0xfb,
  getVersion: 0xfd,
  importKey: 0xfe,
  setManagementKey: 0xff,
} as const;

/** Class byte and its chaining bit: ISO 7816-4 section 5.4.1, 73-2 section 2. */
export const CLA = { plain: 0x00, chained: 0x10 } as const;

/** 78 table 6-2, and Yubico's E0 and E1. */
export const PIV_ALGORITHM = {
  tripleDes: 0x03,
  rsa1024: 0x06,
  rsa2048: 0x07,
  aes128: 0x08,
  aes192: 0x0a,
  aes256: 0x0c,
  eccP256: 0x11,
  eccP384: 0x14,
  ed25519: 0xe0,
  x25519: 0xe1,
} as const;

/** One of the algorithm bytes of {@linkcode PIV_ALGORITHM}. */
export type PivAlgorithm = typeof PIV_ALGORITHM[keyof typeof PIV_ALGORITHM];

/** 73-1 table 4: references of PINs. */
export const PIN_REFERENCE = { global: 0x00, pin: 0x80, puk: 0x81 } as const;

/** One of {@linkcode PIN_REFERENCE}. */
export type PinReference = typeof PIN_REFERENCE[keyof typeof PIN_REFERENCE];

/** 73-1 table 4: references of keys. F9 is Yubico's attestation key. */
export const KEY_REFERENCE = {
  authentication: 0x9a,
  management: 0x9b,
  signature: 0x9c,
  keyManagement: 0x9d,
  cardAuthentication: 0x9e,
  firstRetired: 0x82,
  lastRetired: 0x95,
  attestation: 0xf9,
} as const;

/** The twenty retired key management slots, 82 to 95. */
export const RETIRED_KEY_REFERENCES: readonly number[] = Array.from(
  { length: 20 },
  (_, index) => KEY_REFERENCE.firstRetired + index,
);

/** Every slot that can hold an asymmetric key. */
export const ASYMMETRIC_KEY_REFERENCES: readonly number[] = [
  KEY_REFERENCE.authentication,
  KEY_REFERENCE.signature,
  KEY_REFERENCE.keyManagement,
  KEY_REFERENCE.cardAuthentication,
  ...RETIRED_KEY_REFERENCES,
  KEY_REFERENCE.attestation,
];

/** 73-1 table 3: tags of data objects, as GET DATA and PUT DATA name them. */
export const OBJECT_TAG = {
  cardCapabilityContainer: 0x5fc107,
  cardHolderUniqueId: 0x5fc102,
  authenticationCertificate: 0x5fc105,
  fingerprints: 0x5fc103,
  securityObject: 0x5fc106,
  facialImage: 0x5fc108,
  printedInformation: 0x5fc109,
  cardAuthenticationCertificate: 0x5fc101,
  signatureCertificate: 0x5fc10a,
  keyManagementCertificate: 0x5fc10b,
  keyHistory: 0x5fc10c,
  firstRetiredCertificate: 0x5fc10d,
  lastRetiredCertificate: 0x5fc120,
  irisImages: 0x5fc121,
  secureMessagingCertificate: 0x5fc122,
  pairingCode: 0x5fc123,
  discovery: 0x7e,
  biometricTemplates: 0x7f61,
  yubicoAdminData: 0x5fff00,
  yubicoAttestationCertificate: 0x5fff01,
} as const;

/** The object that holds the certificate of a key's slot; `undefined` for other references. */
export function certificateTagOf(keyReference: number): number | undefined {
  switch (keyReference) {
    case KEY_REFERENCE.authentication:
      return OBJECT_TAG.authenticationCertificate;
    case KEY_REFERENCE.signature:
      return OBJECT_TAG.signatureCertificate;
    case KEY_REFERENCE.keyManagement:
      return OBJECT_TAG.keyManagementCertificate;
    case KEY_REFERENCE.cardAuthentication:
      return OBJECT_TAG.cardAuthenticationCertificate;
    case KEY_REFERENCE.attestation:
      return OBJECT_TAG.yubicoAttestationCertificate;
  }
  const isRetired = keyReference >= KEY_REFERENCE.firstRetired &&
    keyReference <= KEY_REFERENCE.lastRetired;
  if (!isRetired) return undefined;
  return OBJECT_TAG.firstRetiredCertificate + (keyReference - KEY_REFERENCE.firstRetired);
}

/** Tags inside commands and answers. */
export const TLV_TAG = {
  /** 73-2 section 3.1.2: names the object in GET DATA and PUT DATA. */
  tagList: 0x5c,
  /** 73-2 section 3.1.2: the object's content. */
  data: 0x53,
  /** 73-1 table 10 (certificate objects): certificate, its coding, error detection code. */
  certificate: 0x70,
  certificateInfo: 0x71,
  errorDetectionCode: 0xfe,
  /** 73-2 table 7: dynamic authentication template and its members. */
  dynamicAuthentication: 0x7c,
  witness: 0x80,
  challenge: 0x81,
  response: 0x82,
  exponentiation: 0x85,
  /** 73-2 section 3.3.2: GENERATE ASYMMETRIC KEY PAIR. */
  generateControl: 0xac,
  generateAlgorithm: 0x80,
  publicKeyTemplate: 0x7f49,
  rsaModulus: 0x81,
  rsaExponent: 0x82,
  eccPoint: 0x86,
  /** Yubico: key policies in GENERATE and IMPORT. */
  pinPolicy: 0xaa,
  touchPolicy: 0xab,
  /** 73-2 section 3.1.1: the answer to SELECT. */
  applicationTemplate: 0x61,
  applicationId: 0x4f,
  applicationLabel: 0x50,
  applicationUrl: 0x5f50,
  allocationAuthority: 0x79,
  algorithms: 0xac,
  pinUsagePolicy: 0x5f2f,
} as const;

/** Yubico IMPORT KEY: tags of private parts. X25519 and Ed25519 are raw 32 bytes (RFC 7748, 8032). */
export const IMPORT_TAG = {
  rsaP: 0x01,
  rsaQ: 0x02,
  rsaDp: 0x03,
  rsaDq: 0x04,
  rsaQinv: 0x05,
  eccScalar: 0x06,
  ed25519: 0x07,
  x25519: 0x08,
} as const;

/** Yubico GET METADATA: tags of the answer. */
export const METADATA_TAG = {
  algorithm: 0x01,
  policy: 0x02,
  origin: 0x03,
  publicKey: 0x04,
  isDefault: 0x05,
  retries: 0x06,
} as const;

/** Yubico: whether a key needs the PIN. */
export const PIN_POLICY = { default: 0, never: 1, once: 2, always: 3 } as const;

/** One of {@linkcode PIN_POLICY}. */
export type PinPolicy = typeof PIN_POLICY[keyof typeof PIN_POLICY];

/** Yubico: whether a key needs a touch. */
export const TOUCH_POLICY = { default: 0, never: 1, always: 2, cached: 3 } as const;

/** One of {@linkcode TOUCH_POLICY}. */
export type TouchPolicy = typeof TOUCH_POLICY[keyof typeof TOUCH_POLICY];

/** Yubico GET METADATA, tag 03: where a key came from. */
export const KEY_ORIGIN = { generated: 1, imported: 2 } as const;

/** 73-2 section 2.4.3: a PIN is 6 to 8 characters, padded with FF to 8 bytes. */
export const PIN_LENGTH = { shortest: 6, longest: 8, padding: 0xff } as const;

/** Yubico: the first firmware (major, minor) with Ed25519 and X25519. */
export const CURVE25519_SINCE = [5, 7] as const;

/** Yubico: P1 of SET MANAGEMENT KEY is FF; P2 asks for a touch at each use, or not. */
export const SET_MANAGEMENT_KEY = { p1: 0xff, touch: 0xfe, noTouch: 0xff } as const;

/** 73-1 table 7 with extended buffers: the largest object that stock cards and tools both take. */
export const LARGEST_OBJECT = 3052;

// Our own choices.

/**
 * Data objects of this project lie in 5F4000 to 5F40FF, a range that neither SP 800-73 nor Yubico
 * uses. Stock cards of Yubico accept any tag of three bytes that begins with 5F.
 */
export const OWN_OBJECT_RANGE = { first: 0x5f4000, last: 0x5f40ff } as const;

/**
 * How long a card may work on one command, in milliseconds, beyond what others take: making an RSA
 * key is a search (cards take 5 to 40 s, some a minute); a touch is waited for 15 s by the card.
 */
export const ANSWER_MS = { generateRsa: 90_000, touch: 20_000 } as const;
