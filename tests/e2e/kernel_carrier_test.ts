/**
 * A gateway where the kernel's WireGuard carries a sealed profile's packets. One gateway and one card:
 * it must run in a guest too, whose processor is a program (tests/interop/kernel_guest_test.ts).
 */
import assert from "node:assert/strict";
import { guards } from "../interop/kernel/guards.ts";
import { noKernelWireguard } from "../interop/kernel/probe.ts";
import { until } from "../interop/wireguard.ts";
import { signalTo } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { Box } from "../story/box.ts";
import { issueOfficeCard } from "../story/cards.ts";
import type { Hub } from "../story/hub.ts";
import { makeKeys } from "../story/keys.ts";
import { StoryNetwork } from "../story/network.ts";
import { Administrator } from "../story/panel.ts";
import { startStockHub } from "../story/stock_hub.ts";
import { PlainTeller } from "../story/teller.ts";
import { openOffice, unlock, untilPhase } from "../story/visits.ts";

const INTERFACE = "sekisho0";
const PASSWORD = "of this test only";

const kernelTest = noKernelWireguard === undefined
  ? labTest
  : (name: string, _run: () => Promise<void>) =>
    Deno.test.ignore(`${name} (skipped: ${noKernelWireguard})`, () => {});

kernelTest("a sealed profile is carried by the kernel, and gone with card or engine", async () => {
  const teller = new PlainTeller();
  await using place = await openPlace(teller);
  const { box, card, hub } = place;
  const [terminal] = box.site.terminals;
  assert.ok(terminal);

  teller.step("Card in: the kernel carries, and the panel says so");
  await unlock(terminal, box, card);
  await openOffice(terminal);
  assert.match(await box.machine.sh(`ip -d link show ${INTERFACE}`), /^ +wireguard /m);
  const administrator = await Administrator.signIn(terminal, box, PASSWORD);
  const carrier = async () => (await administrator.status()).tunnel?.carrier;
  await until("the panel's word", async () => await carrier() === "kernel");

  teller.step("Another address: the tunnel follows");
  const { renumbered } = box.site.plan;
  await box.site.renumber(renumbered);
  await openOffice(terminal);
  await until(
    "the hub's word",
    async () =>
      (await hub.endpointOf(card.publicKey))?.startsWith(`${renumbered.box.address}:`) === true,
  );

  teller.step("The ruleset is flushed: out of the tunnel nothing gets to a terminal");
  await flushRuleset(place);

  teller.step("Card out: the interface is gone");
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await until("the interface's end", () => isGone(box));

  teller.step("Engine and guard killed: the gateway takes the interface away");
  await unlock(terminal, box, card);
  await openOffice(terminal);
  const [engine] = box.engines();
  const [guard] = guards(box.machine);
  assert.ok(engine !== undefined && guard !== undefined);
  signalTo(guard, "SIGKILL");
  signalTo(engine, "SIGKILL");
  await until("the interface's end", () => isGone(box));
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  assert.match(box.lastEvents(), /leftover-tunnel-removed/);

  teller.step("The whole service told to end, as systemd does it: nothing is left");
  await unlock(terminal, box, card);
  await openOffice(terminal);
  // Some end with others, before it is their turn.
  for (const pid of box.ownPids()) signalTo(pid, "SIGTERM");
  await until("the interface's end", () => isGone(box));
  await until("the guard's end", () => Promise.resolve(guards(box.machine).length === 0));
});

/** The hub sends what it must not; the gateway stands still, so that it can't put the ruleset back. */
async function flushRuleset({ box, card, network: { hub, office } }: Place): Promise<void> {
  const [terminal] = box.site.terminals;
  assert.ok(terminal);
  const { machine } = terminal;
  const { lan } = box.site.plan;
  await hub.sh(`
    wg set wg0 peer ${card.publicKey} allowed-ips ${[...card.addresses, lan.address, lan.address6]}
    ip route add ${lan.address.replace(".1/", ".0/")} dev wg0
    ip route add ${lan.address6.replace("::1/", "::/")} dev wg0`);
  const own = await machine.sh("ip -o addr show dev eth0 scope global");
  const addresses = [...own.matchAll(/ inet6? ([^/]+)/g)].map(([, address]) => address ?? "");
  assert.ok(addresses.some((one) => one.includes(":")) && addresses.length >= 2, own);
  const ping = () =>
    Promise.all(
      addresses.map((to) => office.run(["ping", "-c", "3", "-i", "0.2", "-W", "1", to])),
    );
  const heard = async () => {
    const counts = await machine.sh("cat /proc/net/snmp /proc/net/snmp6");
    const [, names = "", values = ""] = /^Icmp: (.*InEchos.*)\nIcmp: (.*)$/m.exec(counts) ?? [];
    const icmp = values.split(" ")[names.split(" ").indexOf("InEchos")];
    const [, icmp6] = /^Icmp6InEchos\s+(\d+)$/m.exec(counts) ?? [];
    return { v4: Number(icmp), v6: Number(icmp6) };
  };

  const before = await heard();
  box.pauseGateway();
  await box.machine.sh("nft flush ruleset");
  await ping();
  assert.deepEqual(await heard(), before);
  // The routing rules alone have held it: without their barrier all of it arrives.
  await box.machine.sh("ip rule del pref 7040; for i in 1 2; do ip -6 rule del pref 7040; done");
  await ping();
  const after = await heard();
  assert.ok(after.v4 > before.v4 && after.v6 > before.v6, JSON.stringify({ before, after }));
  box.resumeGateway();
  await until(
    "the ruleset's return",
    async () => (await box.machine.run(["nft", "list", "table", "inet", "sekisho"])).code === 0,
  );
}

interface Place extends AsyncDisposable {
  readonly network: StoryNetwork;
  readonly box: Box;
  readonly card: Awaited<ReturnType<typeof issueOfficeCard>>["office"];
  readonly hub: Hub;
}

/** One gateway, locked, its terminals connected, no card in the reader. */
async function openPlace(teller: PlainTeller): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  teller.step("Network");
  const network = stack.use(await StoryNetwork.open());
  const { lab, sites: [site] } = network;
  teller.step("Card issued");
  const keys = makeKeys();
  const { issuer, office: card } = await issueOfficeCard(lab, {
    variant: { hub: "stock", identity: "sealed" },
    server: keys.public,
  });
  teller.step("Hub and gateway");
  const { publicKey, addresses, presharedKey } = card;
  const hub = await startStockHub(network, {
    keys,
    clients: [{
      ...{ publicKey, addresses },
      ...(presharedKey === undefined ? {} : { presharedKey: presharedKey.toBase64() }),
    }],
  });
  const dir = `${lab.dir}/${site.plan.name}`;
  await Deno.mkdir(dir);
  const options = { dir, issuers: [issuer], adminPassword: PASSWORD, kernel: "auto" } as const;
  const box = stack.use(await Box.start(site, options));
  await site.connectTerminals();
  const open = stack.move();
  return { network, box, card, hub, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

async function isGone({ machine }: Box): Promise<boolean> {
  return (await machine.run(["ip", "link", "show", INTERFACE])).code !== 0;
}
