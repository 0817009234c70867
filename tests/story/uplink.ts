/** What left a site's box, seen from the Internet's side of its wire. */
import assert from "node:assert/strict";
import { Capture, countUplink, macOf, type UplinkCount } from "../lab/capture.ts";
import { sleep } from "../lab/machine.ts";
import { describePacket } from "../lab/packet.ts";
import { GATEWAY_INTERFACES, type Site, type StoryNetwork } from "./network.ts";
import { HUB } from "./plan.ts";

const HUB_END = {
  addresses: [HUB.line.box.address, HUB.line.box.address6],
  port: HUB.port,
};

/** A guard against hanging, not a measure. */
const SENT_LIMIT_MS = 20_000;

export class UplinkWatch implements AsyncDisposable {
  readonly #capture: Capture;
  readonly #mac: string;

  private constructor(capture: Capture, mac: string) {
    this.#capture = capture;
    this.#mac = mac;
  }

  static async start(network: StoryNetwork, site: Site): Promise<UplinkWatch> {
    const mac = await macOf(site.gateway, GATEWAY_INTERFACES.internet);
    const at = { machine: network.internet, ifname: site.line };
    return new UplinkWatch(await Capture.start(network.lab, at), mac);
  }

  /** What the box sent from `since` (Unix milliseconds) until now. */
  async count(since = 0): Promise<UplinkCount> {
    return countUplink(await this.#capture.packets(since), { mac: this.#mac, hub: HUB_END });
  }

  /** Waits until the tunnel has sent so many packets since then. */
  async untilSent(packets: number, since: number): Promise<void> {
    for (const end = Date.now() + SENT_LIMIT_MS; Date.now() < end; await sleep(50)) {
      if ((await this.count(since)).tunnel.length >= packets) return;
    }
    throw new Error(`Waited in vain for ${packets} packets of the tunnel`);
  }

  /** Fails when anything but the tunnel's own messages left the box; returns the count. */
  async assertNoLeak(since = 0): Promise<UplinkCount> {
    const count = await this.count(since);
    const leaks = count.leaked.slice(0, 20).map(describePacket).join("\n");
    assert.equal(count.leaked.length, 0, `left the box outside the tunnel:\n${leaks}`);
    return count;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#capture[Symbol.asyncDispose]();
  }
}
