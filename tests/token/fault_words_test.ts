import assert from "node:assert/strict";
import type { ProfileFault as Shown } from "../../gateway/view.ts";
import { profileFault } from "../../token/cli/read_profile.ts";
import type { ProfileFault } from "../../token/profile/fault.ts";

/** Fails to compile when the token has a word that the gateway can't show. */
const words: readonly (ProfileFault & Shown)[] = [
  "none-on-card",
  "damaged",
  "forged",
  "other-card",
  "older-generation",
  "newer-version",
  "revoked",
  "hub-unknown",
  "hub-expired",
  "hub-refused",
] satisfies readonly ProfileFault[];

const shown: (fault: ProfileFault) => Shown = (fault) => fault;

Deno.test("each fault of a profile has its own word for the gateway and its own message", () => {
  assert.deepEqual(words.map(shown), words);
  assert.equal(new Set(words.map((word) => profileFault(word).message)).size, words.length);
});
