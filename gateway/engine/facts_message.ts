/** What an engine tells of the card itself: what it can do and why, and that it wants a touch. */
import * as v from "valibot";

const text = (longest: number) => v.pipe(v.string(), v.maxLength(longest));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const open = v.picklist(["yes", "no", "unknown"]);

/** Reasons, each with its own facts: `CapabilityReason`. */
const reason = v.variant("key", [
  v.strictObject({
    key: v.picklist([
      ...["x25519-listed", "x25519-not-listed", "x25519-untold"] as const,
      ...["p256-listed", "p256-not-listed", "p256-untold"] as const,
      ...["objects-in-use", "objects-written", "objects-untried"] as const,
      ...["openpgp-key-there", "openpgp-key-settable", "openpgp-key-fixed"] as const,
      ...[
        "openpgp-needs-piv",
        "openpgp-no-object",
        "folder-any-card",
        "hub-any-card",
        "stick-instead",
      ] as const,
    ]),
  }),
  v.strictObject({
    key: v.picklist([
      ...["x25519-firmware", "x25519-old-firmware", "p256-firmware"] as const,
      "objects-firmware",
    ]),
    version: text(16),
  }),
  v.strictObject({ key: v.literal("x25519-key-there"), slot: text(2) }),
  v.strictObject({ key: v.literal("objects-refused"), status: text(8) }),
  v.strictObject({
    key: v.picklist(["objects-too-small", "openpgp-object"]),
    bytes: count,
  }),
]);

const ways = <Name extends string>(names: readonly Name[]) =>
  v.pipe(
    v.array(v.strictObject({ way: v.picklist(names), open, reason })),
    v.maxLength(8),
    v.readonly(),
  );

/** What an engine tells the gateway of the card itself. */
export const FromEngineFactsSchemas = [
  v.strictObject({
    type: v.literal("card-facts"),
    facts: v.strictObject({
      application: v.picklist(["piv", "openpgp", "stick"]),
      /** Where the profile lay; left out where no genuine one was found. */
      carrier: v.exactOptional(v.picklist(["card", "folder", "hub", "stick"])),
      identities: ways(["on-card", "sealed"]),
      carriers: ways(["card", "card-key-only", "folder", "hub", "stick"]),
    }),
  }),
  /** The card works once its key is touched, or no longer waits for that. */
  v.strictObject({ type: v.literal("touch"), wanted: v.boolean() }),
] as const;
