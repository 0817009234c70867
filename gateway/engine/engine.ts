/**
 * The key-holding process. It owns the card from its insertion on, opens the profile once the card
 * accepted the PIN, carries the tunnel, and dies with the card: keys wiped first, then the process.
 */
import { exitNow, hardenProcess } from "../../os/process.ts";
import { watchSleep } from "../../os/sleep_watch.ts";
import { CardGoneError } from "../../token/apdu/channel.ts";
import { type CardSession, PcscError } from "../../token/pcsc/types.ts";
import { boundTo } from "../../token/pin/passkey.ts";
import { makePinOpener, type PinOpener, type Sealed } from "../../token/pin/seal.ts";
import { parseIssuerKey } from "../../token/profile/jws.ts";
import type { IssuerKey, ProfileHead } from "../../token/profile/types.ts";
import { prepareTunnel } from "../../tunnel/tunnel.ts";
import { lookAtCard, type ReadyCard, takeCard } from "./card.ts";
import { cardFacts } from "./card_facts.ts";
import { HolderCheck, type Tried, untilAlike } from "./holder_check.ts";
import { MAX_MESSAGE_BYTES, TUNNEL_REPORT_MS, UNLOCK_BEAT_MS } from "./limits.ts";
import { Lending } from "./lending.ts";
import { LineWriter, readLines } from "./lines.ts";
import { type FromEngine, parseToEngine, type ToEngine } from "./messages.ts";
import { Passkeys } from "./passkeys.ts";
import { EngineSecrets } from "./secrets.ts";
import { lookAtStick, type ReadyStick, unlockStick, watchStick } from "./stick.ts";
import { unlock } from "./unlock.ts";
import { Uplink } from "./uplink.ts";
import type { PasskeyOffer } from "../view.ts";

type Start = Extract<ToEngine, { type: "start" }>;
type SealedPin = Extract<ToEngine, { type: "pin" }>;

/** What a PIN or passkey is tried with. */
interface Attempt {
  readonly token: ReadyCard | ReadyStick;
  readonly opener: PinOpener;
  readonly start: Start;
}

/** How long the card may take to be given back when the engine was told to end. */
const GIVE_BACK_MS = 25;

export class Engine {
  readonly #id = crypto.randomUUID();
  readonly #secrets = new EngineSecrets();
  readonly #writer = new LineWriter<FromEngine>(Deno.stdout.writable);
  readonly #holder = new HolderCheck(this.#secrets);
  readonly #prepared = prepareTunnel();
  #start: Start | undefined;
  #opener: PinOpener | undefined;
  #card: CardSession | undefined;
  #ready: ReadyCard | undefined;
  /** In place of a card. */
  #stick: ReadyStick | undefined;
  #uplink: Uplink | undefined;
  #unlocking = false;
  #generation: ((known: { highest: number; revoked: boolean }) => void) | undefined;
  #lending: Lending | undefined;
  #passkeys: Passkeys | undefined;
  /** What the gateway keeps for the card. */
  #kept: readonly string[] = [];

  /** Serves the gateway until it, the card or a fault ends this process; never returns. */
  async run(): Promise<number> {
    const gaps = hardenProcess();
    // Nobody knows who woke the machine. A reader that kept its power kept the PIN's state, too.
    watchSleep((slept) => this.#do(() => this.#end({ type: "slept", sleptMs: Math.round(slept) })));
    this.#opener = await makePinOpener(this.#id);
    void this.#say({
      type: "hello",
      engine: this.#id,
      publicKey: base64url(this.#opener.publicKey),
      gaps,
    });
    for await (const line of readLines(Deno.stdin.readable, MAX_MESSAGE_BYTES)) {
      const message = parseToEngine(line);
      if (message === undefined) return this.#endWith(1);
      this.#obey(message);
    }
    // The gateway is gone: nobody guards the terminals any more.
    return this.#endWith(0);
  }

  #obey(message: ToEngine): void {
    switch (message.type) {
      case "start":
        if (this.#start !== undefined) return;
        this.#start = message;
        return this.#do(() =>
          message.stick === undefined
            ? this.#look(message)
            : this.#lookAtStick(message.stick, message)
        );
      case "generation":
        this.#kept = message.passkeys ?? [];
        return this.#generation?.(message);
      case "pin":
        return this.#do(() => this.#onPin(message));
      case "share-certificate":
      case "reader-answer":
      case "lease-request":
      case "lease-leave":
      case "lease-command":
      case "lease-pin":
      case "terminal-leave":
      case "lease-revoke":
      case "pin-drop":
        return this.#do(() => this.#lending?.hear(message) ?? Promise.resolve());
      case "end":
        return this.#do(() => this.#end());
    }
  }

  /** Runs a step; a fault that nobody foresaw ends the engine, its keys wiped. */
  #do(step: () => Promise<void>): void {
    step().catch((error: unknown) => {
      if (error instanceof CardGoneError) return this.#cardGone();
      this.#wipe();
      console.error(`sekisho engine: ${error instanceof Error ? error.message : error}`);
      return this.#endWith(1);
    });
  }

  async #look(start: Start): Promise<void> {
    try {
      this.#card = await takeCard(start.reader);
    } catch (error) {
      if (!(error instanceof PcscError)) throw error;
      if (error.fault === "mute-card") {
        this.#notice(error.message);
        return await this.#say({
          type: "card",
          report: { card: "refused", fault: "unreadable-card" },
        });
      }
      if (["no-card", "no-reader", "removed"].includes(error.fault)) return this.#cardGone();
      throw error;
    }
    void this.#card.removed.then(() => this.#cardGone());
    const look = await lookAtCard(this.#card, {
      issuerKeys: issuerKeysOf(start),
      ...(start.profiles === undefined ? {} : { profiles: start.profiles }),
      ...(start.store === undefined ? {} : { store: start.store }),
      asksUserId: start.asksUserId ?? false,
      now: Date.now(),
      askGateway: (head) => this.#askGateway(head),
      onFault: (message) => this.#notice(message),
    });
    // Before the report: an engine that refused its card is ended, and one with a PIN has work to do.
    const { card, carrier } = "ready" in look ? look.ready : look;
    const facts = card && await cardFacts(card, carrier);
    if (facts !== undefined) await this.#say({ type: "card-facts", facts });
    if ("ready" in look) this.#ready = look.ready;
    if ("ready" in look && start.share !== undefined) {
      this.#lending = new Lending({
        ...{ engine: this.#id, share: start.share, card: this.#card, ready: look.ready },
        triesLeft: look.report.triesLeft,
        secrets: this.#secrets,
        say: (message) => void this.#say(message),
        notice: (message) => this.#notice(message),
        rekey: () => this.#uplink?.rekey(),
        fail: (error) => this.#do(() => Promise.reject(error)),
      });
    }
    const hasOwnKey = facts?.identities.some(({ reason }) => reason.key === "x25519-key-there");
    const offer = "ready" in look ? this.#offer(look.ready, start, hasOwnKey) : {};
    await this.#say({ type: "card", report: { ...look.report, ...offer } });
    this.#do(() => this.#lending?.looked() ?? Promise.resolve());
  }

  async #lookAtStick(path: string, start: Start): Promise<void> {
    watchStick(path, () => this.#cardGone());
    const look = await lookAtStick(path, {
      issuerKeys: issuerKeysOf(start),
      asksUserId: start.asksUserId ?? false,
      now: Date.now(),
      askGateway: (head) => this.#askGateway(head),
      onFault: (message) => this.#notice(message),
    });
    if ("ready" in look) this.#stick = look.ready;
    await this.#say({
      type: "card-facts",
      facts: { application: "stick", carrier: "stick", identities: [], carriers: [] },
    });
    const offer = "ready" in look ? this.#offer(look.ready, start) : {};
    await this.#say({ type: "card", report: { ...look.report, ...offer } });
  }

  /** `hasOwnKey`: the profile may live by a key on the card, to which a passkey says nothing. */
  #offer(
    token: ReadyCard | ReadyStick,
    { passkeys, ...start }: Start,
    hasOwnKey = false,
  ): { passkey?: PasskeyOffer } {
    if (passkeys === undefined) return {};
    this.#passkeys = new Passkeys(this.#secrets, issuerKeysOf(start));
    const add = passkeys.add && !hasOwnKey;
    const passkey = this.#passkeys.offer(token, { kept: this.#kept, add });
    return passkey === undefined ? {} : { passkey };
  }

  #askGateway(head: ProfileHead): Promise<{ highest: number; revoked: boolean }> {
    const answer = new Promise<{ highest: number; revoked: boolean }>((resolve) => {
      this.#generation = resolve;
    });
    const { cardId, profileId, generation, issuer } = head;
    void this.#say({ type: "generation-asked", cardId, profileId, generation, issuer });
    return answer;
  }

  async #onPin(message: SealedPin): Promise<void> {
    const { start, ready, stick, opener } = {
      start: this.#start,
      ready: this.#ready,
      stick: this.#stick,
      opener: this.#opener,
    };
    const token = stick ?? ready;
    if (!start || !token || !opener || this.#unlocking) return;
    this.#unlocking = true;
    // First: a terminal's lease ends and what it leaves is put in order; the PIN waits sealed.
    const why = await this.#lending?.takeBack();
    if (why !== undefined) {
      this.#unlocking = false;
      return await this.#say({ type: "unlock-failed", why });
    }
    const beat = setInterval(() => void this.#say({ type: "unlock-goes-on" }), UNLOCK_BEAT_MS);
    try {
      await this.#enter(message, { token, opener, start });
    } finally {
      clearInterval(beat);
    }
  }

  /** Tries what was entered; the tunnel is up, or why not is said. */
  async #enter(
    message: SealedPin,
    { token, opener, start }: Attempt,
  ): Promise<void> {
    const unlocked = message.way === "passkey"
      ? await this.#passkeys?.unlock(token, { sealed: sealing(message), opener })
      : await this.#unlockByPin(message, { token, opener, start });
    if (unlocked?.result !== "ok") this.#passkeys?.drop();
    if (unlocked === undefined) {
      this.#unlocking = false;
      this.#lending?.giveOn();
      return await this.#say({ type: "unlock-failed", why: { failure: "not-sealed-to-me" } });
    }
    if (unlocked.result === "failed") {
      this.#secrets.forgetPin();
      this.#unlocking = false;
      const { why } = unlocked;
      const isCards = why.failure === "wrong-pin" || why.failure === "wrong-id";
      this.#lending?.giveOn(isCards ? why.triesLeft : undefined);
      return await this.#say({ type: "unlock-failed", why });
    }
    const uplink = this.#uplink = await Uplink.open({
      unlocked,
      ready: this.#ready,
      start,
      secrets: this.#secrets,
      prepared: this.#prepared,
      onNotice: (notice) => this.#notice(notice),
      mayUseCard: () => this.#lending?.mayUseCard ?? true,
      onFreshSession: () => this.#lending?.sessionFresh(),
      onClosed: (reason) => this.#do(() => Promise.reject(new Error(reason))),
    });
    const added = this.#passkeys?.added(unlocked);
    if (added !== undefined) await this.#say({ type: "passkey-added", ...added });
    await this.#say({ type: "grant", grant: uplink.grant });
    this.#lending?.unlocked(unlocked);
    this.#report(uplink);
  }

  /** `undefined`: it was not sealed to this engine, or not together with what it adds. */
  async #unlockByPin(
    message: SealedPin,
    { token, opener, start }: Attempt,
  ): Promise<Tried | undefined> {
    const adds = message.adds && { ...sealing(message.adds), name: message.adds.name };
    if (adds !== undefined && !await this.#passkeys?.hold(adds, opener)) return undefined;
    const sealed = {
      ...sealing(message),
      ...(adds === undefined ? {} : { bound: boundTo(adds) }),
    };
    // What came without the id that is asked for, or with one that isn't, costs nobody a try.
    const entered = token.asksUserId
      ? await opener.openWithId(sealed)
      : await opener.open(sealed).then((pin) => pin && { pin, userId: undefined });
    if (entered === undefined) return undefined;
    const began = performance.now();
    this.#secrets.keepPin(entered.pin);
    const tried = "found" in token ? await unlockStick(token, this.#secrets) : await unlock(token, {
      issuerKeys: issuerKeysOf(start),
      secrets: this.#secrets,
      onTouch: (wanted) => void this.#say({ type: "touch", wanted }),
    });
    const { userId } = entered;
    if (userId === undefined) return tried;
    const checked = await this.#holder.check(tried, { userId, token, session: this.#card });
    if (checked.result === "failed") {
      this.#secrets.forgetPin();
      await untilAlike(checked, began);
    }
    return checked;
  }

  /** Tells the tunnel's counters once a second, for as long as this process lives. */
  #report(uplink: Uplink): void {
    this.#do(async () => {
      await this.#say(await uplink.report());
      setTimeout(() => this.#report(uplink), TUNNEL_REPORT_MS);
    });
  }

  #cardGone(): never {
    this.#secrets.wipe();
    // Straight to the pipe: the event loop has no more turns to give.
    const line = new TextEncoder().encode(`${JSON.stringify({ type: "card-gone" })}\n`);
    try {
      Deno.stdout.writeSync(line);
    } catch {
      // The gateway is gone too; then nobody needs to hear it.
    }
    this.#uplink?.eraseNow();
    exitNow(0);
  }

  /**
   * Told to end, or awake after a sleep: keys first, then the gateway hears of it and the card gets
   * its reset, bounded, then nothing is left.
   */
  async #end(news?: FromEngine): Promise<void> {
    this.#wipe();
    const told = news === undefined ? undefined : this.#say(news);
    const bound = new Promise((resolve) => setTimeout(resolve, GIVE_BACK_MS));
    await Promise.race([Promise.all([told, this.#card?.close("reset")]), bound]);
    exitNow(0);
  }

  #endWith(code: number): never {
    this.#wipe();
    exitNow(code);
  }

  /** This process's memory first: what the kernel holds goes with its interface, which takes longer. */
  #wipe(): void {
    this.#secrets.wipe();
    this.#uplink?.eraseNow();
  }

  #notice(message: string): void {
    void this.#say({ type: "notice", message: message.slice(0, 500) });
  }

  #say(message: FromEngine): Promise<void> {
    return this.#writer.write(message);
  }
}

function issuerKeysOf(start: Pick<Start, "issuers">): IssuerKey[] {
  return start.issuers.map(parseIssuerKey).filter((key) => key !== undefined);
}

function sealing({ enc, ciphertext }: { enc: string; ciphertext: string }): Sealed {
  return { enc: bytes(enc), ciphertext: bytes(ciphertext) };
}

function bytes(base64: string): Uint8Array {
  return Uint8Array.fromBase64(base64, { alphabet: "base64url" });
}

function base64url(value: Uint8Array): string {
  return value.toBase64({ alphabet: "base64url", omitPadding: true });
}
