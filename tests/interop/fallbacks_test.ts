/** What the kernel refuses, by strace's fault injection: the tunnel falls back, goes on, says it once. */
import assert from "node:assert/strict";
import type { DeviceStatus } from "../../tunnel/api.ts";
import { faultTest, injecting } from "../lab/fault_injection.ts";
import { Lab } from "../lab/lab.ts";
import { withPeer } from "./api_process.ts";
import { fetchedSum } from "./wireguard.ts";

const BYTES = 4 << 20;

interface Case {
  readonly name: string;
  /**
   * `inject=` of strace(1); calls are counted for each thread. Never several in a row: TCP would
   * wait twice as long after each.
   */
  readonly fault: string;
  /** What strace's record must show, if the fault is meant for one call of its kind. */
  readonly hits?: RegExp;
  readonly notices: readonly string[];
  /** What must be counted, if something is lost by it. */
  readonly counts?: (status: DeviceStatus) => boolean;
}

const cases: readonly Case[] = [
  {
    name: "a route that takes no UDP segmentation (EIO)",
    fault: "sendmsg:error=EIO:when=30..120+9",
    notices: ["a route takes no UDP segmentation; datagrams are sent one by one"],
  },
  {
    name: "no memory for datagrams (ENOBUFS)",
    fault: "sendmsg:error=ENOBUFS:when=30..120+9",
    notices: [],
    counts: ({ drops }) => drops.sendFailed > 0,
  },
  {
    name: "a TUN that takes nothing for a while (EAGAIN)",
    fault: "writev:error=EAGAIN:when=30..120+9",
    notices: [],
    counts: ({ drops }) => drops.tunWriteFailed > 0,
  },
  {
    name: "a TUN that takes no merged packets (EINVAL)",
    fault: "writev:error=EINVAL:when=30..120+9",
    notices: ["the TUN takes no merged TCP here"],
  },
  {
    name: "a TUN without virtio_net_hdr",
    fault: "ioctl:error=EINVAL:when=4",
    hits: /TUNSETIFF.*INJECTED/,
    notices: ["the TUN has no offloads here"],
    counts: ({ offloads }) => !offloads.tun,
  },
  {
    name: "a TUN without UDP segmentation",
    fault: "ioctl:error=EINVAL:when=5",
    hits: /TUNSETOFFLOAD.*INJECTED/,
    notices: [],
    counts: ({ offloads }) => offloads.tun,
  },
  {
    name: "a TUN with virtio_net_hdr and no offload",
    fault: "ioctl:error=EINVAL:when=5..6",
    hits: /TUNSETOFFLOAD.*INJECTED[^]*TUNSETOFFLOAD.*INJECTED/,
    notices: [],
    counts: ({ offloads }) => offloads.tun,
  },
  {
    name: "a socket without UDP offloads",
    fault: "setsockopt:error=ENOPROTOOPT:when=4..5",
    hits: /UDP_GRO[^]*INJECTED[^]*UDP_SEGMENT.*INJECTED/,
    notices: [],
  },
];

for (const { name, fault, hits = /INJECTED/, notices, counts } of cases) {
  faultTest(`${name}: the tunnel goes on`, async () => {
    await using lab = await Lab.open();
    const record = await Deno.makeTempFile({ dir: lab.dir });
    const file = await Deno.makeTempFile({ dir: lab.dir });
    const bytes = new Uint8Array(BYTES);
    for (let at = 0; at < BYTES; at += 65_536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    }
    await Deno.writeFile(file, bytes);
    const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    const { end, machine, peer } = await withPeer(lab, ["local"], {
      under: injecting(fault, record),
    });
    const fromUs = { server: machine, client: peer.machine, address: "10.7.0.1", file };
    const toUs = { server: peer.machine, client: machine, address: "10.7.0.2", file };
    // The peer learns from it where we are.
    assert.equal(await fetchedSum(toUs), expected, "what we receive");
    assert.equal(await fetchedSum(fromUs), expected, "what we send");
    assert.deepEqual(await end.ask("notices"), notices);
    assert.match(await Deno.readTextFile(record), hits);
    const status = await end.ask<DeviceStatus>("status");
    if (counts !== undefined) assert.ok(counts(status), JSON.stringify(status));
  });
}
