/** From sealed bytes to a profile and its keys in native memory, or the word for what is wrong. */
import { sha256 } from "@noble/hashes/sha2.js";
import { openContainer } from "./container.ts";
import type { Profile } from "./profile.ts";
import { decodeSettings } from "./settings.ts";
import type { Opened, OpenOptions, ProfileHead } from "./types.ts";

/**
 * Opens the container that belongs to a checked head. Nothing that isn't bound to that head and
 * signed by a trusted issuer comes out. Every buffer on the way is wiped.
 */
export async function openProfile(options: OpenOptions): Promise<Opened> {
  const { sealed, head, identity, secrets, issuerKeys } = options;
  const container = await openContainer(sealed, identity);
  if (container === "no-key") return { result: "fault", fault: "other-card" };
  if (container === "damaged") return { result: "fault", fault: "damaged" };
  const { plaintext, fileKey } = container;
  try {
    options.onFileKey?.(fileKey);
    const isSame = sha256(plaintext).every((byte, index) => byte === head.inner[index]);
    if (!isSame) return { result: "fault", fault: "forged" };
    const opened = await decodeSettings(plaintext, { issuerKeys, secrets });
    if (opened.result === "ok" && !agrees(opened.profile, head)) {
      // One signer said two things; its head promised what the settings don't hold.
      opened.privateKey?.bytes.fill(0);
      opened.presharedKey?.bytes.fill(0);
      return { result: "fault", fault: "forged" };
    }
    return opened;
  } finally {
    plaintext.fill(0);
    fileKey.fill(0);
  }
}

function agrees(profile: Profile, head: ProfileHead): boolean {
  return profile.id === head.profileId && profile.generation === head.generation &&
    profile.expiresAt === head.expiresAt && profile.asksUserId === head.asksUserId &&
    isForCard(profile, head.cardId);
}

/** The card that it was issued to, or another that its issuer named beside it. */
function isForCard(profile: Profile, cardId: string): boolean {
  return profile.cardId === cardId ||
    (profile.recipients ?? []).some((one) => one.kind === "card" && one.cardId === cardId);
}
