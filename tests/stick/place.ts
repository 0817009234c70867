/** A gateway with one terminal, and a server on the Internet that its token's profile names. */
import assert from "node:assert/strict";
import { boundTo, sealPasskey } from "../../token/pin/passkey.ts";
import { type Sealed, sealPin } from "../../token/pin/seal.ts";
import type { IssuerKey } from "../../token/profile/types.ts";
import { WireguardEnd } from "../interop/wireguard.ts";
import { Lab } from "../lab/lab.ts";
import { type Machine, type Running, sleep } from "../lab/machine.ts";
import { lastEvents } from "../story/last_events.ts";
import { enginePids } from "../story/observer.ts";
import { MAIN, makeIssuer } from "./stick.ts";

const PORTAL = "https://192.168.80.1";
/** A generous bound on what happens by itself. */
const LIMIT_MS = 60_000;

export interface PortalState {
  readonly phase: string;
  readonly holder?: string;
  readonly asksUserId?: true;
  readonly triesLeft?: number;
  readonly fault?: string;
  readonly target?: { readonly engine: string; readonly publicKey: string };
}

/** The network, before there is a gateway in it. */
export interface Ground {
  readonly lab: Lab;
  readonly box: Machine;
  readonly terminal: Machine;
  /** The machine behind `server`. */
  readonly hub: WireguardEnd;
  readonly server: { readonly key: string; readonly endpoint: string };
  /** Its secret half is the file `issuer` in the lab's folder. */
  readonly issuer: IssuerKey;
}

export async function openGround(): Promise<Ground> {
  const lab = await Lab.open();
  const [box, terminal, internet] = [
    await lab.machine("box"),
    await lab.machine("terminal"),
    await lab.machine("internet"),
  ];
  await lab.link(terminal, "eth0", box, "lan0");
  await lab.link(box, "wan0", internet, "eth0");
  await terminal.sh(`ip addr add 192.168.80.50/24 dev eth0; ip route add default via 192.168.80.1`);
  await box.sh("ip addr add 192.0.2.1/24 dev wan0; ip route add default via 192.0.2.2");
  await internet.sh("ip addr add 192.0.2.2/24 dev eth0");
  const hub = await WireguardEnd.start(internet, { implementation: "wireguard-go" });
  await hub.address("10.7.0.1/24");
  const server = { key: hub.keys.publicKey, endpoint: "192.0.2.2:51820" };
  const issuer = await makeIssuer(lab.dir);
  return { lab, box, terminal, hub, server, issuer };
}

export class Place implements AsyncDisposable {
  readonly ground: Ground;
  /** How often the portal is asked, in milliseconds: each time costs a slow machine much. */
  lookMs = 20;
  readonly #gateway: Running;

  private constructor(ground: Ground, gateway: Running) {
    this.ground = ground;
    this.#gateway = gateway;
  }

  /** Starts the gateway, with these tables in its configuration; resolves when its portal answers. */
  static async open(ground: Ground, tables = ""): Promise<Place> {
    const { lab, box, terminal, issuer } = ground;
    const config = `${lab.dir}/gateway.toml`;
    await Deno.writeTextFile(
      config,
      `name = "box"
state = "${lab.dir}/state"
run = "/run/sekisho"
[lan]
interface = "lan0"
address = "192.168.80.1/24"
[internet]
interface = "wan0"
[token]
issuers = ["${issuer}"]
${tables}`,
    );
    const gateway = await box.spawn([
      ...[Deno.execPath(), "run", "-A", "--no-prompt", "--no-check", "--cached-only", MAIN],
      ...["gateway", "--config", config],
    ], { stderr: "inherit", env: { DENO_NO_UPDATE_CHECK: "1" } });
    let over = false;
    void gateway.status.then(() => over = true);
    while ((await terminal.run(["curl", "-sk", "-o", "/dev/null", `${PORTAL}/`])).code !== 0) {
      if (over) throw new Error("The gateway ended; see its own message");
      await sleep(50);
    }
    return new Place(ground, gateway);
  }

  async portal(): Promise<PortalState> {
    return JSON.parse(await this.ground.terminal.sh(`curl -sk -m 60 ${PORTAL}/api/portal`));
  }

  async until(phase: string | RegExp): Promise<PortalState> {
    for (const end = Date.now() + LIMIT_MS;;) {
      const state = await this.portal();
      if (typeof phase === "string" ? state.phase === phase : phase.test(state.phase)) return state;
      if (Date.now() > end) {
        const events = lastEvents(`${this.ground.lab.dir}/state`);
        throw new Error(`Still ${JSON.stringify(state)}, not ${phase}:\n${events}`);
      }
      await sleep(this.lookMs);
    }
  }

  /** Enters a password as the page does. */
  async enter(password: string, userId?: string): Promise<Record<string, unknown>> {
    const to = await this.#target();
    return await this.#send(to, await sealPin(utf8(password), { ...to, userId }));
  }

  /** The same, and adds a passkey that answers so (64 bytes). */
  async add(password: string, answer: Uint8Array): Promise<Record<string, unknown>> {
    const to = await this.#target();
    const addition = { ...await sealPasskey(answer, to), name: "phone" };
    const sealed = await sealPin(utf8(password), { ...to, bound: boundTo(addition) });
    return await this.#send(to, sealed, { adds: { ...texts(addition), name: "phone" } });
  }

  /** Shows a passkey's answer in the password's place. */
  async show(answer: Uint8Array): Promise<Record<string, unknown>> {
    const to = await this.#target();
    return await this.#send(to, await sealPasskey(answer, to), { way: "passkey" });
  }

  async #target(): Promise<{ engine: string; publicKey: Uint8Array }> {
    const { target } = await this.portal();
    assert.ok(target, "a password is asked for");
    const publicKey = Uint8Array.fromBase64(target.publicKey, { alphabet: "base64url" });
    return { engine: target.engine, publicKey };
  }

  async #send(
    { engine }: { engine: string },
    sealed: Sealed,
    more: Record<string, unknown> = {},
  ): Promise<Record<string, unknown>> {
    const body = { engine, ...texts(sealed), ...more };
    const { stdout } = await this.ground.terminal.run([
      ...["curl", "-sk", "-m", "200", "-H", `Origin: ${PORTAL}`, "--data-binary", "@-"],
      ...["-H", "Content-Type: application/json", `${PORTAL}/api/pin`],
    ], { input: JSON.stringify(body) });
    return JSON.parse(stdout);
  }

  /** The terminal reaches what is behind the tunnel. */
  async reach(): Promise<void> {
    for (const end = Date.now() + LIMIT_MS; Date.now() < end;) {
      if ((await this.ground.terminal.run(["ping", "-c", "1", "-W", "1", "10.7.0.1"])).code === 0) {
        return;
      }
    }
    throw new Error("The terminal reaches nothing through the tunnel");
  }

  async gone(pid: number): Promise<void> {
    for (const end = Date.now() + LIMIT_MS; enginePids(this.ground.box.pids()).includes(pid);) {
      if (Date.now() > end) throw new Error(`Engine ${pid} is still there`);
      await sleep(5);
    }
  }

  /** Stops the gateway; the lab is whose it was. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway.stop(20_000);
  }
}

const utf8 = (text: string) => new TextEncoder().encode(text);

function texts({ enc, ciphertext }: Sealed): { enc: string; ciphertext: string } {
  const text = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  return { enc: text(enc), ciphertext: text(ciphertext) };
}
