/** What left a site's box, seen from the Internet's side of its wire. */
import assert from "node:assert/strict";
import { Capture, countUplink, macOf, type UplinkCount } from "../lab/capture.ts";
import { describePacket } from "../lab/packet.ts";
import { GATEWAY_INTERFACES, type Site, type StoryNetwork } from "./network.ts";
import { HUB } from "./plan.ts";

const HUB_END = {
  addresses: [HUB.line.box.address, HUB.line.box.address6],
  port: HUB.port,
};

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
