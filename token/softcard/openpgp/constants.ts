/** Numbers of the OpenPGP card, version 3.4 ("the specification" in this folder), as the card uses them. */

/** Section 4.2.1: RID of the FSF Europe and the application. */
export const OPENPGP_RID: Uint8Array = Uint8Array.of(0xd2, 0x76, 0x00, 0x01, 0x24, 0x01);
/** Version 3.4, then a manufacturer of the range for numbers that nobody manages. */
export const OPENPGP_VERSION: Uint8Array = Uint8Array.of(0x03, 0x04, 0xff, 0xfe);

/** Section 7.1: instructions. */
export const OPENPGP_INS = {
  verify: 0x20,
  changeReferenceData: 0x24,
  performSecurityOperation: 0x2a,
  resetRetryCounter: 0x2c,
  activateFile: 0x44,
  generateAsymmetric: 0x47,
  getChallenge: 0x84,
  internalAuthenticate: 0x88,
  selectData: 0xa5,
  getData: 0xca,
  getNextData: 0xcc,
  putData: 0xda,
  putDataOdd: 0xdb,
  terminateDf: 0xe6,
} as const;

/** Section 4.4: tags of data objects. */
export const DO = {
  private1: 0x0101,
  private2: 0x0102,
  private3: 0x0103,
  private4: 0x0104,
  applicationId: 0x4f,
  login: 0x5e,
  url: 0x5f50,
  historicalBytes: 0x5f52,
  cardholder: 0x65,
  name: 0x5b,
  language: 0x5f2d,
  salutation: 0x5f35,
  applicationRelated: 0x6e,
  extendedLength: 0x7f66,
  discretionary: 0x73,
  extendedCapabilities: 0xc0,
  signatureAttributes: 0xc1,
  decipherAttributes: 0xc2,
  authenticationAttributes: 0xc3,
  passwordStatus: 0xc4,
  fingerprints: 0xc5,
  caFingerprints: 0xc6,
  firstFingerprint: 0xc7,
  firstCaFingerprint: 0xca,
  generationTimes: 0xcd,
  firstGenerationTime: 0xce,
  resettingCode: 0xd3,
  keyInformation: 0xde,
  algorithmInformation: 0xfa,
  securitySupport: 0x7a,
  signatureCounter: 0x93,
  certificate: 0x7f21,
} as const;

/** Section 4.4.3.12 and 7.2.14: control reference templates, one for each key. */
export const CONTROL_REFERENCE = { signature: 0xb6, decipher: 0xb8, authentication: 0xa4 } as const;

/** Lengths in bytes. Special objects are the private ones, login and URL (section 4.4.3.7). */
export const LONGEST = {
  password: 64,
  special: 1024,
  certificate: 2048,
  name: 39,
  language: 8,
  challenge: 255,
} as const;

/** Section 4.3: shortest passwords. */
export const SHORTEST = { pw1: 6, pw3: 8, resettingCode: 8 } as const;

/** ISO 7816-4 section 5.6: the selected application is terminated. */
export const SW_TERMINATED = 0x6285;
