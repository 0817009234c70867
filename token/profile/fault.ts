/** Why a profile is not taken. Each word has its own message wherever people see it. */
export type ProfileFault =
  /** The card carries no profile of this project. */
  | "none-on-card"
  /** Cut, torn or garbled: no signature was reached, or sealed bytes don't open. */
  | "damaged"
  /** Well formed, but not by a trusted issuer, or not what that issuer signed. */
  | "forged"
  /** Signed for, or sealed to, another card. */
  | "other-card"
  /** A newer generation of this profile has been seen before. */
  | "older-generation"
  /** Written by a later version of this program. */
  | "newer-version"
  /** Its issuer has taken it back. */
  | "revoked"
  /** Its other half lies at a hub, and that hub doesn't know of it. */
  | "hub-unknown"
  /** Its other half lies at a hub, and by that hub's clock the profile has expired. */
  | "hub-expired"
  /** Its other half lies at a hub, and that hub doesn't take this card's proof. */
  | "hub-refused";
