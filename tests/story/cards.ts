/** The issuing station: makes the story's cards with `sekisho token`, as an owner would. */
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { fileURLToPath } from "node:url";
import type { Lab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";
import { rarePin } from "../lab/rare_pin.ts";
import type { Card } from "./card.ts";
import { type CardObjects, readFileKey, readProfileObjects } from "./card_image.ts";
import { makeKeys, makePresharedKey } from "./keys.ts";
import { CLIENT_NETWORKS, HUB, OFFICE } from "./plan.ts";
import type { Variant } from "./world.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

export interface IssuedCards {
  /** The issuer's public key, as a gateway's configuration has it. */
  readonly issuer: string;
  /** Reaches the office; everything else is dropped. */
  readonly office: Card;
  /** The same office; everything else goes direct. */
  readonly direct: Card;
  readonly expired: Card;
  /** What else the office card has carried or might be made to carry. */
  readonly spoilt?: SpoiltProfiles;
}

export interface SpoiltProfiles {
  /** Signed by an issuer whom no gateway trusts. */
  readonly forged: CardObjects;
  /** The generation before the present one. */
  readonly older: CardObjects;
}

/** What a card is to be. */
interface Order {
  readonly name: string;
  readonly holder: string;
  readonly host: number;
  readonly expires: string;
  readonly otherTraffic: "drop" | "direct";
  /** What the office may begin. */
  readonly inbound?: readonly string[];
}

const OFFICE_CARD: Order = {
  ...{ name: "office", holder: "Hanako Yamada", host: 2 },
  ...{ expires: "90d", otherTraffic: "drop" },
};
const DIRECT_CARD: Order = {
  ...{ name: "direct", holder: "Taro Suzuki", host: 3 },
  ...{ expires: "90d", otherTraffic: "direct" },
};
const EXPIRED_CARD: Order = {
  ...{ name: "expired", holder: "Jiro Tanaka", host: 4 },
  ...{ expires: "2026-01-31", otherTraffic: "drop" },
};

interface StationOptions {
  readonly variant: Variant;
  /** The hub's public key. */
  readonly server: string;
}

/** Makes all cards of a story. */
export async function issueCards(
  lab: Lab,
  options: StationOptions & { spoilt: boolean; inbound: readonly string[] },
): Promise<IssuedCards> {
  await using machine = await lab.machine("station");
  const station = await openStation(lab, machine, options);
  const spoilt = options.spoilt ? await station.spoil(OFFICE_CARD) : undefined;
  return {
    issuer: station.issuer,
    office: await station.issue(OFFICE_CARD),
    direct: await station.issue({ ...DIRECT_CARD, inbound: options.inbound }),
    expired: await station.issue(EXPIRED_CARD),
    ...(spoilt === undefined ? {} : { spoilt }),
  };
}

/** Makes the office card alone, for a story that needs no other. */
export async function issueOfficeCard(
  lab: Lab,
  options: StationOptions,
): Promise<Pick<IssuedCards, "issuer" | "office">> {
  await using machine = await lab.machine("station");
  const station = await openStation(lab, machine, options);
  return { issuer: station.issuer, office: await station.issue(OFFICE_CARD) };
}

async function openStation(
  lab: Lab,
  machine: Machine,
  options: StationOptions,
): Promise<Station> {
  const dir = `${lab.dir}/cards`;
  await Deno.mkdir(dir, { mode: 0o700 });
  await machine.quickAckLoopback();
  await startPcscd(machine);
  return await Station.open(machine, { dir, ...options });
}

class Station {
  readonly issuer: string;
  readonly #machine: Machine;
  readonly #dir: string;
  readonly #server: string;
  readonly #identity: Variant["identity"];
  readonly #pins = new Map<Order, string>();
  /** Opens every container: how the story knows the file keys that it looks for. */
  readonly #recovery: { readonly identity: string; readonly recipient: string };

  private constructor(
    machine: Machine,
    parts: {
      dir: string;
      server: string;
      variant: Variant;
      issuer: string;
      recovery: { identity: string; recipient: string };
    },
  ) {
    this.#machine = machine;
    this.#dir = parts.dir;
    this.#server = parts.server;
    this.#identity = parts.variant.identity;
    this.issuer = parts.issuer;
    this.#recovery = parts.recovery;
  }

  static async open(
    machine: Machine,
    options: { dir: string; server: string; variant: Variant },
  ): Promise<Station> {
    const identity = await generateX25519Identity();
    const recovery = { identity, recipient: await identityToRecipient(identity) };
    const issuer = await token(machine, ["issuer-key", "--out", `${options.dir}/issuer.jwk`]);
    return new Station(machine, { ...options, issuer: issuer.trim(), recovery });
  }

  async issue(order: Order): Promise<Card> {
    const state = this.#state(order);
    const keys = await this.#write(order, `${this.#dir}/issuer.jwk`);
    const fileKey = await readFileKey(state, this.#recovery.identity);
    return {
      ...{ state, fileKey, ...keys },
      ...{ holder: order.holder, pin: this.#pin(order), addresses: addressesOf(order) },
    };
  }

  /** Profiles for the same card that must not count once it is issued. */
  async spoil(order: Order): Promise<SpoiltProfiles> {
    const stranger = `${this.#dir}/stranger.jwk`;
    await token(this.#machine, ["issuer-key", "--out", stranger]);
    await this.#write(order, stranger);
    const forged = readProfileObjects(this.#state(order));
    await this.#write(order, `${this.#dir}/issuer.jwk`);
    return { forged, older: readProfileObjects(this.#state(order)) };
  }

  /** Made anew each time: one that stood in a source file would be in every process that loads it. */
  #pin(order: Order): string {
    const pin = this.#pins.get(order) ?? rarePin();
    this.#pins.set(order, pin);
    return pin;
  }

  #state(order: Order): string {
    return `${this.#dir}/${order.name}.card`;
  }

  async #write(
    order: Order,
    issuer: string,
  ): Promise<Pick<Card, "publicKey" | "privateKey" | "presharedKey">> {
    const card = await startSoftcard(this.#machine, {
      state: this.#state(order),
      pin: this.#pin(order),
    });
    try {
      return await (this.#identity === "sealed"
        ? this.#import(order, issuer)
        : this.#issueOnCard(order, issuer));
    } finally {
      await card.stop();
    }
  }

  /** A wg-quick file whose keys we made: so we know what to look for. */
  async #import(order: Order, issuer: string) {
    const keys = makeKeys();
    const psk = makePresharedKey();
    const file = `${this.#dir}/${order.name}.conf`;
    const text = `[Interface]
PrivateKey = ${keys.private}
Address = ${addressesOf(order).join(", ")}
DNS = ${OFFICE.dns.address}

[Peer]
PublicKey = ${this.#server}
PresharedKey = ${psk.text}
AllowedIPs = ${OFFICE.networks.join(", ")}
Endpoint = ${HUB.line.box.address}:${HUB.port}
`;
    await Deno.writeTextFile(file, text, { mode: 0o600 });
    await token(this.#machine, [
      ...["import", file, "--psk-out", `${file}.${crypto.randomUUID()}`],
      ...this.#common(order, issuer),
    ]);
    return { publicKey: keys.public, privateKey: keys.privateKey, presharedKey: psk.bytes };
  }

  /** The card makes its private key and keeps it; only the preshared key is ours. */
  async #issueOnCard(order: Order, issuer: string) {
    const psk = makePresharedKey();
    const file = `${this.#dir}/${order.name}.psk`;
    await Deno.writeTextFile(file, psk.text, { mode: 0o600 });
    const said = await token(this.#machine, [
      ...["issue", "--identity", "on-card", "--psk-file", file],
      ...["--psk-out", `${file}.${crypto.randomUUID()}`],
      ...this.#common(order, issuer),
      ...addressesOf(order).flatMap((each) => ["--address", each]),
      ...["--dns", OFFICE.dns.address, "--server-key", this.#server],
      ...["--endpoint", `${HUB.line.box.address}:${HUB.port}`],
      ...OFFICE.networks.flatMap((each) => ["--network", each]),
    ]);
    const publicKey = /client public key: (\S{44})/.exec(said)?.[1];
    if (publicKey === undefined) throw new Error(`Cannot read the card's public key: ${said}`);
    return { publicKey, presharedKey: psk.bytes };
  }

  #common(order: Order, issuer: string): string[] {
    return [
      ...["--issuer", issuer, "--client-id", order.name, "--user-name", order.holder],
      ...["--expires", order.expires, "--other-traffic", order.otherTraffic],
      ...["--domain", OFFICE.domain, "--recovery", this.#recovery.recipient],
      ...(order.inbound ?? []).flatMap((rule) => ["--inbound", rule]),
    ];
  }
}

function addressesOf({ host }: Order): string[] {
  const { v4, v6 } = CLIENT_NETWORKS;
  return [`${v4}${host}/32`, `${v6}${host}/128`];
}

/** Runs `sekisho token`; resolves to what it printed. */
async function token(machine: Machine, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await machine.run([
    ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--no-check", MAIN, "token"],
    ...args,
  ]);
  if (code !== 0) throw new Error(`token ${args[0]}: ${stderr.trim()} (${code})`);
  return stdout;
}
