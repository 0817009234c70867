import assert from "node:assert/strict";
import { labTest } from "../lab/needs.ts";
import { bigFileHash } from "./big_file.ts";
import { StoryNetwork } from "./network.ts";
import { HUB, INTERNET, OFFICE } from "./plan.ts";

labTest(
  "the story's network: terminals get addresses, boxes reach each other, a line renumbers",
  async () => {
    await using network = await StoryNetwork.open();
    const [one] = network.sites;
    const { gateway, plan } = one;

    await gateway.sh(
      `ping -c 1 -W 5 ${HUB.line.box.address} && ping -c 1 -W 5 ${HUB.line.box.address6}`,
    );
    const page = await gateway.sh(`curl -sS -m 20 http://${INTERNET.web.name}/`);
    assert.match(page, /^This is the Internet\. You are (198\.51\.100\.2|2001:db8:1:1::2)\.\n$/);
    await one.renumber();
    const moved = await gateway.sh(`curl -sS -m 20 http://${INTERNET.web.name}/`);
    assert.match(moved, /You are (203\.0\.113\.2|2001:db8:2:1::2)\./);

    // The office is not on the Internet: only the hub reaches it.
    assert.notEqual(
      (await gateway.run(["ping", "-c", "1", "-W", "1", OFFICE.web.address])).code,
      0,
    );
    await network.hub.sh(
      `ping -c 1 -W 5 ${OFFICE.web.address} && ping -c 1 -W 5 ${OFFICE.web.address6}`,
    );

    // A stand-in for the gateway's LAN side, by the daemon that the gateway uses too.
    const { from, to } = plan.lan.dhcp;
    await gateway.sh(
      `ip addr add ${plan.lan.address} dev lan0; ip addr add ${plan.lan.address6} dev lan0`,
    );
    await gateway.spawn([
      ...[
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--interface=lan0",
        "--user=root",
      ],
      ...["--pid-file=", `--dhcp-leasefile=${network.lab.dir}/leases`, "--enable-ra"],
      ...[`--dhcp-range=${from},${to},1h`, "--dhcp-range=::,constructor:lan0,ra-only"],
    ]);
    await one.connectTerminals();
    const [terminal] = one.terminals;
    assert.ok(terminal);
    await terminal.machine.sh("ping -c 1 -W 5 192.168.81.1 && ping -c 1 -W 5 fd81::1");
    assert.match(
      await terminal.machine.sh("cat /etc/resolv.conf"),
      /^nameserver 192\.168\.81\.1\n$/,
    );

    const file = { seed: 3, size: 3_000_001 };
    await gateway.sh("sysctl -qw net.ipv4.ip_forward=1");
    await network.internet.sh("ip route add 192.168.81.0/24 via 203.0.113.2");
    const url = `http://${INTERNET.web.address}/big?seed=3&size=${file.size}`;
    const { bytes, sha256 } = await terminal.do("download", { url });
    assert.deepEqual({ bytes, sha256 }, { bytes: file.size, sha256: bigFileHash(file) });
    const echo = await terminal.do("echo", { address: INTERNET.web.address, port: 7 });
    assert.ok(echo.sent >= 1);
    assert.match(
      (await terminal.fails("open", { url: "http://192.168.81.1:8099/" })) ?? "",
      /refused/i,
    );
  },
);
