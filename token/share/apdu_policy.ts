/**
 * What a terminal may say to the card within its lease: each command goes in with the answers so
 * far, a verdict comes out. Nothing that changes the card passes unless the policy names it, no key
 * that the holder's own session lives on is used, and the last try of a PIN is never spent. @core
 */
import { CLA_CHAINING, parseCommand } from "../apdu/command.ts";
import { SW, triesLeft } from "../apdu/status.ts";
import { KEY_PAIR } from "../openpgp/constants.ts";
import { KEY_REFERENCE, PIV_AID_RID } from "../piv/constants.ts";
import {
  GROUPS,
  type InstructionGroup,
  instructionName,
  PIV_USING,
  READING,
} from "./instructions.ts";

/** How a terminal's commands come. */
export type LeaseWay =
  /** Through the network reader: only the engine sees them. */
  | "reader"
  /** Through the web, whose process sees them: they must hold no secret. */
  | "program";

/** An application with instructions of its own. */
export interface SharedApplication {
  readonly aid: Uint8Array;
  /** Class bytes without the chaining bit. */
  readonly classes: readonly number[];
  readonly instructions: Readonly<Record<number, string>>;
}

export interface PolicyOptions {
  readonly way: LeaseWay;
  readonly allow: readonly InstructionGroup[];
  /** Key references that the holder's own session lives on: PIV's, or OpenPGP's decryption key (B8). */
  readonly protectedKeys: readonly number[];
  readonly applications: readonly SharedApplication[];
}

export type Verdict =
  | { readonly verdict: "forward" }
  /** Forward only when the answer to `probe` says that at least two tries are left. */
  | { readonly verdict: "probe-first"; readonly probe: Uint8Array }
  | { readonly verdict: "refuse"; readonly sw: number };

/** A PIN's tries may be spent down to this. */
const TRIES_KEPT = 1;

const VERIFY = 0x20;
const CHANGE_REFERENCE_DATA = 0x24;
const RESET_RETRY_COUNTER = 0x2c;
const PERFORM_SECURITY_OPERATION = 0x2a;
const GENERAL_AUTHENTICATE = 0x87;
const SELECT = 0xa4;
const DECIPHER = 0x8086;

/** Keys whose results aren't secrets: signatures. */
const SIGNING_KEYS: readonly number[] = [
  KEY_REFERENCE.authentication,
  KEY_REFERENCE.signature,
  KEY_REFERENCE.cardAuthentication,
];

/** The policy over one lease. */
export class ApduPolicy {
  readonly #options: PolicyOptions;
  #selected: Uint8Array | undefined;
  /** PIN references of which this lease saw more tries than are kept. */
  readonly #counted = new Set<number>();

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  judge(raw: Uint8Array): Verdict {
    const apdu = parseCommand(raw);
    if (typeof apdu === "string") return refuse(SW.WRONG_LENGTH);
    const { ins, p1, p2 } = apdu;
    const cla = apdu.cla & ~CLA_CHAINING;
    const names = this.#allowedFor(cla);
    if (names === undefined) return refuse(SW.CLA_NOT_SUPPORTED);
    if (names[ins] === undefined) return refuse(SW.INS_NOT_SUPPORTED);
    if (this.#usesOwnKey(ins, p1, p2)) return refuse(SW.CONDITIONS_NOT_SATISFIED);
    if (this.#wouldShowSecret(ins, p1, p2) && (ins !== VERIFY || apdu.data.length > 0)) {
      return refuse(SW.CONDITIONS_NOT_SATISFIED);
    }
    const spendsTry = apdu.data.length > 0 && (ins === VERIFY || ins === CHANGE_REFERENCE_DATA);
    if (!spendsTry) return { verdict: "forward" };
    // In a chain the question for the tries left could not come in between.
    if (apdu.cla !== 0) return refuse(SW.CHAINING_NOT_SUPPORTED);
    return { verdict: "probe-first", probe: Uint8Array.of(0, VERIFY, 0, p2) };
  }

  /** Whether this PIN may be tried, by the status word of the probe's answer. */
  mayTry(probe: Uint8Array, sw: number): boolean {
    const reference = probe[3] ?? 0;
    const left = triesLeft(sw);
    if (left !== undefined && left > TRIES_KEPT) this.#counted.add(reference);
    // A card that says "verified" tells no tries, but has all of them again: as many as it told before.
    return left === undefined ? sw === SW.OK && this.#counted.has(reference) : left > TRIES_KEPT;
  }

  /** Hears what the card answered to a command that was forwarded. */
  answered(raw: Uint8Array, sw: number): void {
    const apdu = parseCommand(raw);
    if (typeof apdu === "string" || apdu.ins !== SELECT || apdu.p1 !== 0x04) return;
    const isDone = sw === SW.OK || (sw & 0xff00) === SW.MORE_DATA;
    if (isDone) this.#selected = apdu.data.slice();
  }

  /** The card was reset. */
  reset(): void {
    this.#selected = undefined;
  }

  /** The instructions of this class now; undefined: none. */
  #allowedFor(cla: number): Readonly<Record<number, string>> | undefined {
    const application = this.#options.applications.find(({ aid }) => this.#isSelected(aid));
    if (application?.classes.includes(cla)) {
      return cla === 0 ? { ...READING, ...application.instructions } : application.instructions;
    }
    // Logical channels and secure messaging would go past what is looked at here.
    if (cla !== 0) return undefined;
    const groups = this.#options.allow.map((name): Readonly<Record<number, string>> =>
      GROUPS[name]
    );
    // Cards whose application of default is PIV are used without selecting it.
    const isPiv = this.#selected === undefined || this.#isSelected(PIV_AID_RID);
    const piv = isPiv ? PIV_USING : {};
    return Object.assign({}, READING, piv, ...groups);
  }

  #isSelected(aid: Uint8Array): boolean {
    const { length } = aid;
    return this.#selected !== undefined && this.#selected.length >= Math.min(length, 5) &&
      this.#selected.every((byte, at) => at >= length || byte === aid[at]);
  }

  #usesOwnKey(ins: number, p1: number, p2: number): boolean {
    const { protectedKeys, allow } = this.#options;
    switch (ins) {
      case GENERAL_AUTHENTICATE:
        if (p2 === KEY_REFERENCE.management) return !allow.includes("management");
        return protectedKeys.includes(p2);
      case 0x47:
      case 0xfe:
      case 0xf6:
        return protectedKeys.includes(p2) || (ins === 0xf6 && protectedKeys.includes(p1)) ||
          (ins === 0x47 && p1 === KEY_PAIR.generate && protectedKeys.includes(KEY_PAIR.decryption));
      case PERFORM_SECURITY_OPERATION:
        return ((p1 << 8) | p2) === DECIPHER && protectedKeys.includes(KEY_PAIR.decryption);
      default:
        return false;
    }
  }

  /** Over the web no PIN goes in and no decrypted thing comes out. */
  #wouldShowSecret(ins: number, p1: number, p2: number): boolean {
    if (this.#options.way === "reader") return false;
    switch (ins) {
      case VERIFY:
      case CHANGE_REFERENCE_DATA:
      case RESET_RETRY_COUNTER:
        return true;
      case GENERAL_AUTHENTICATE:
        return !SIGNING_KEYS.includes(p2);
      case PERFORM_SECURITY_OPERATION:
        return ((p1 << 8) | p2) === DECIPHER;
      default:
        return false;
    }
  }
}

/** What ran in a lease: instructions by name, and how many of them; never a body. */
export class LeaseAudit {
  readonly #names: Readonly<Record<number, string>>;
  readonly #done = new Map<string, number>();
  readonly #refused = new Map<string, number>();

  constructor(applications: readonly SharedApplication[] = []) {
    this.#names = Object.assign({}, ...applications.map((one) => one.instructions));
  }

  ran(raw: Uint8Array): void {
    this.#count(this.#done, raw);
  }

  refused(raw: Uint8Array): void {
    this.#count(this.#refused, raw);
  }

  get commands(): Record<string, number> {
    return Object.fromEntries(this.#done);
  }

  get refusals(): Record<string, number> {
    return Object.fromEntries(this.#refused);
  }

  #count(into: Map<string, number>, raw: Uint8Array): void {
    const [cla = 0, ins = 0] = raw;
    const own = (cla & 0x80) !== 0 ? this.#names[ins] : undefined;
    const name = raw.length < 4 ? "malformed" : own ?? instructionName(ins);
    into.set(name, (into.get(name) ?? 0) + 1);
  }
}

function refuse(sw: number): Verdict {
  return { verdict: "refuse", sw };
}
