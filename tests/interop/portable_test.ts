/** Where libcrypto is absent, unusable or unwanted, the portable cryptography carries the tunnel. */
import assert from "node:assert/strict";
import type { DeviceStatus } from "../../tunnel/api.ts";
import type { CryptoName } from "../../tunnel/protocol/crypto.ts";
import { NATIVE_CRYPTOS } from "../../tunnel/protocol/every_crypto.ts";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { withPeer } from "./api_process.ts";
import { fetchedSum, type Implementation, until } from "./wireguard.ts";

const FILE_BYTES = 5_000_000;
/** Puts what is at the second path in the place of the library that is named first, in this machine alone. */
const INSTEAD_OF_LIBRARY = `
  for there in $(ldconfig -p | sed -n "s/.*$1[.0-9]* .*=> //p"); do
    mount --bind "$(readlink -f "$2")" "$(readlink -f "$there")"
  done
  shift 2; exec "$@"`;
const instead = (file: string, library = "libcrypto\\.so\\.3") => {
  return ["bash", "-euc", INSTEAD_OF_LIBRARY, "bash", library, file];
};

const CASES: readonly { what: string; under: readonly string[]; peer: Implementation }[] = [
  { what: "absent", under: instead("/dev/null"), peer: "wireguard-go" },
  // Any library without the functions of version 3 will do.
  { what: "too old", under: instead("/lib/x86_64-linux-gnu/libm.so.6"), peer: "ours" },
  {
    what: "unwanted",
    under: ["env", "SEKISHO_TUNNEL_CRYPTO=portable"],
    peer: "ours-portable",
  },
];

for (const { what, under, peer: implementation } of CASES) {
  labTest(
    `libcrypto ${what}: carries on without, says so, speaks with ${implementation}`,
    async () => {
      await using lab = await Lab.open();
      const { end, machine, peer } = await withPeer(lab, ["local"], { implementation, under });
      const ping = ["ping", "-c", "1", "-W", "20", "10.7.0.2"];
      await until("a session", async () => (await machine.run(ping)).code === 0);
      assert.equal((await end.ask<DeviceStatus>("status")).crypto, "noble");
      const file = `${lab.dir}/bulk`;
      await machine.sh(`head -c ${FILE_BYTES} /dev/urandom > ${file}`);
      const [sum] = (await machine.sh(`sha256sum ${file}`)).split(" ");
      const legs = [
        { server: machine, client: peer.machine, address: "10.7.0.1" },
        { server: peer.machine, client: machine, address: "10.7.0.2" },
      ];
      for (const leg of legs) assert.equal(await fetchedSum({ ...leg, file }), sum);
      assert.ok((await end.ask<{ wiped: boolean }>("close")).wiped);
    },
  );
}

for (const { name } of NATIVE_CRYPTOS) {
  labTest(`${name} there, and nothing faster: it is used`, async () => {
    await using lab = await Lab.open();
    const under = without(name);
    const { end } = await withPeer(lab, ["local"], { under });
    assert.equal((await end.ask<DeviceStatus>("status")).crypto, name);
    await end.ask("close");
  });
}

/** The words before a command that leave it nothing faster. */
function without(name: CryptoName): string[] {
  if (name === "libcrypto") return instead("/dev/null", "libIPSec_MB\\.so");
  return name === "libcrypto+ipsec-mb-avx2" ? ["env", "SEKISHO_TUNNEL_CRYPTO=avx2"] : [];
}
