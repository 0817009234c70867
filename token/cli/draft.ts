/** From the fields that an issuer chooses to a profile. */
import { ulid } from "ulid";
import { plainUserId } from "../pin/user_id.ts";
import {
  checkProfile,
  explainProfile,
  type Profile,
  PROFILE_VERSION,
  type ProfileRecipient,
} from "../profile/profile.ts";
import { UsageError } from "./errors.ts";
import type { Fields } from "./fields.ts";

/** What a profile has besides its fields. */
export interface DraftContext {
  readonly cardId: string;
  /** Unix seconds. */
  readonly now: number;
  /** The profile that this one takes the place of. */
  readonly former?: { readonly profileId?: string; readonly generation: number } | undefined;
  readonly identity: Profile["identity"];
  readonly hasPresharedKey: boolean;
  readonly recipients: readonly ProfileRecipient[];
}

/** A well-formed key of no one: stands for the client's until that is made. */
export const NOBODYS_IDENTITY: Profile["identity"] = {
  kind: "sealed",
  publicKey: new Uint8Array(32).toBase64(),
};

/**
 * Makes a profile; its generation is above the former one's.
 * @throws {UsageError} that names the first field that is wrong.
 */
export function draftProfile(fields: Fields, context: DraftContext): Profile {
  const { cardId, now, former, identity, hasPresharedKey, recipients } = context;
  const { mtu, keepalive, user } = fields;
  if (fields.asksUserId && plainUserId(user.id) === plainUserId(user.name)) {
    throw new UsageError(
      `Cannot ask for the user id ${user.id}: it is the name that every reader shows; ` +
        "give another --user-name",
    );
  }
  return checkDraft({
    v: PROFILE_VERSION,
    id: former?.profileId ?? ulid(now * 1000),
    cardId,
    // Time alone would do, and lets a card start anew after a reset; the count is for fast hands.
    generation: Math.max(now, (former?.generation ?? 0) + 1),
    issuedAt: now,
    expiresAt: fields.expiresAt,
    user: fields.user,
    ...(fields.asksUserId ? { asksUserId: true } : {}),
    clientId: fields.clientId,
    serverId: fields.serverId,
    identity,
    tunnel: {
      addresses: fields.addresses,
      dns: fields.dns,
      ...(mtu === undefined ? {} : { mtu }),
    },
    server: {
      publicKey: fields.serverKey,
      endpoints: fields.endpoints,
      hasPresharedKey,
      ...(keepalive === undefined ? {} : { persistentKeepalive: keepalive }),
    },
    destinations: { networks: fields.networks, domains: fields.domains },
    otherTraffic: fields.otherTraffic,
    // Left out rather than empty: programs of before take such a profile.
    ...(fields.inbound.length === 0 ? {} : { inbound: fields.inbound }),
    suite: fields.suite,
    recipients,
  });
}

/** @throws {UsageError} that names the first field that is wrong. */
export function checkDraft(value: unknown): Profile {
  const profile = checkProfile(value);
  if (typeof profile !== "string") return profile;
  throw new UsageError(`Cannot issue the profile: ${explainProfile(value) ?? profile}`);
}
