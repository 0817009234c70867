/** From what was found out about a card to which ways are open, and why. @core */
import { formatStatus } from "../apdu/status.ts";
import { LARGEST_WRAPPED } from "../openpgp/limits.ts";
import { CURVE25519_SINCE, PIV_ALGORITHM } from "../piv/constants.ts";
import type {
  CapabilityReason,
  CardCapabilities,
  CarrierWay,
  OpenPgpFacts,
  PivFacts,
  Sure,
  Way,
} from "./types.ts";

/** Judges a card. A gateway's folder and a hub carry a profile for any card that can open one. */
export function judge(facts: PivFacts | OpenPgpFacts): CardCapabilities {
  return facts.application === "piv" ? judgePiv(facts) : judgeOpenPgp(facts);
}

/** The first way that is surely open, else the first that may be; `undefined`: none. */
export function best<Name extends string>(ways: readonly Way<Name>[]): Way<Name> | undefined {
  return ways.find(({ open }) => open === "yes") ?? ways.find(({ open }) => open === "unknown");
}

const ELSEWHERE: readonly Way<CarrierWay>[] = [
  { way: "folder", open: "yes", reason: { key: "folder-any-card" } },
  { way: "hub", open: "yes", reason: { key: "hub-any-card" } },
  { way: "stick", open: "yes", reason: { key: "stick-instead" } },
];

function judgePiv(facts: PivFacts): CardCapabilities {
  return {
    application: "piv",
    identities: [
      { way: "on-card", ...x25519(facts) },
      { way: "sealed", ...p256(facts) },
    ],
    carriers: [{ way: "card", ...objects(facts) }, ...ELSEWHERE],
  };
}

interface Verdict {
  readonly open: Sure;
  readonly reason: CapabilityReason;
}

/** What is there counts most, then what the card lists, then what its firmware is known for. */
function x25519({ x25519Slot, algorithms, version }: PivFacts): Verdict {
  if (x25519Slot !== undefined) {
    return yes({ key: "x25519-key-there", slot: x25519Slot.toString(16) });
  }
  if (algorithms?.includes(PIV_ALGORITHM.x25519)) return yes({ key: "x25519-listed" });
  if (version !== undefined) {
    return hasCurve25519(version)
      ? yes({ key: "x25519-firmware", version })
      : no({ key: "x25519-old-firmware", version });
  }
  if (algorithms !== undefined) return no({ key: "x25519-not-listed" });
  return { open: "unknown", reason: { key: "x25519-untold" } };
}

/** SP 800-78-4 table 3-1 lets a card's key management be RSA alone; Yubico's all have P-256. */
function p256({ algorithms, version }: PivFacts): Verdict {
  if (algorithms?.includes(PIV_ALGORITHM.eccP256)) return yes({ key: "p256-listed" });
  if (version !== undefined) return yes({ key: "p256-firmware", version });
  if (algorithms !== undefined) return no({ key: "p256-not-listed" });
  return { open: "unknown", reason: { key: "p256-untold" } };
}

function objects({ trial, hasProfile, version }: PivFacts): Verdict {
  switch (trial?.trial) {
    case "written":
      return yes({ key: "objects-written" });
    case "refused":
      return no({ key: "objects-refused", status: formatStatus(trial.sw) });
    case "lost":
      return no({ key: "objects-too-small", bytes: 0 });
    case "too-small":
      return no({ key: "objects-too-small", bytes: trial.bytes });
    case undefined:
      break;
  }
  if (hasProfile) return yes({ key: "objects-in-use" });
  if (version !== undefined) return yes({ key: "objects-firmware", version });
  return { open: "unknown", reason: { key: "objects-untried" } };
}

function judgeOpenPgp(facts: OpenPgpFacts): CardCapabilities {
  const { longestPrivateObject: bytes } = facts;
  const hasRoom = facts.privateObjects && bytes >= LARGEST_WRAPPED;
  const opens = facts.hasX25519
    ? yes({ key: "openpgp-key-there" })
    : facts.algorithmsChangeable
    ? yes({ key: "openpgp-key-settable" })
    : no({ key: "openpgp-key-fixed" });
  return {
    application: "openpgp",
    identities: [
      { way: "on-card", ...no({ key: "openpgp-needs-piv" }) },
      { way: "sealed", ...opens },
    ],
    carriers: [
      {
        way: "card-key-only",
        ...(hasRoom ? yes({ key: "openpgp-object", bytes }) : no({ key: "openpgp-no-object" })),
      },
      ...ELSEWHERE,
    ],
  };
}

function hasCurve25519(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [sinceMajor, sinceMinor] = CURVE25519_SINCE;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

function yes(reason: CapabilityReason): Verdict {
  return { open: "yes", reason };
}

function no(reason: CapabilityReason): Verdict {
  return { open: "no", reason };
}
