/** The key that holder and server both have, as the tunnel takes it: for handshakes, or by hand. */
import type { Profile } from "../../token/profile/profile.ts";
import type { SecretKey } from "../../token/profile/types.ts";
import type { PeerConfig } from "../../tunnel/api.ts";

export function sharedKey(
  { profile, presharedKey }: {
    readonly profile: Pick<Profile, "suite">;
    readonly presharedKey?: SecretKey;
  },
): Pick<PeerConfig, "presharedKey" | "manualKey"> {
  const key = presharedKey && { address: presharedKey.address, length: 32 } as const;
  switch (profile.suite) {
    case "wireguard-1":
      return key === undefined ? {} : { presharedKey: key };
    case "wireguard-manual-1":
      // A profile of this suite has one, or it is damaged.
      if (key === undefined) throw new Error("Cannot start the tunnel: there is no manual key");
      return { manualKey: key };
  }
}
