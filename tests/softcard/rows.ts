/** Tables of what outside tools are told, and what must come of it. */
import assert from "node:assert/strict";
import type { Machine, RunResult } from "../lab/machine.ts";

/** One command of a stock tool, in the order of the table: each may build on those before it. */
export interface Row {
  /** What it shows; also the step's name. */
  readonly shows: string;
  /** Shell lines; any that fails ends them. */
  readonly run: string;
  /** It must end with another code than 0. */
  readonly fails?: true;
  /** What it must say, on either output. */
  readonly says?: RegExp | readonly RegExp[];
  /** What it must not say. */
  readonly hides?: RegExp;
}

/** Runs tools in a machine, in a folder, with some words for what they are often told. */
export class Tools {
  readonly #machine: Machine;
  readonly #folder: string;
  readonly #env: Record<string, string>;

  constructor(machine: Machine, folder: string, env: Record<string, string> = {}) {
    this.#machine = machine;
    this.#folder = folder;
    this.#env = env;
  }

  run(script: string): Promise<RunResult> {
    const whole = `cd ${this.#folder}\nset -e\n${WORDS}\n${script}`;
    return this.#machine.run(["timeout", "120", "bash", "-c", whole], { env: this.#env });
  }

  async must(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(script);
    assert.equal(code, 0, `${script.trim()}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Every row is a step; one that fails makes the whole test fail, and the others still run. */
  async all(t: Deno.TestContext, rows: readonly Row[]): Promise<void> {
    for (const row of rows) await t.step(row.shows, () => this.#check(row));
  }

  async #check(row: Row): Promise<void> {
    const { code, stdout, stderr } = await this.run(row.run);
    const said = `${stdout}\n${stderr}`;
    const told = `${row.run.trim()}\n-> ${code}\n${said}`;
    assert.equal(code !== 0, row.fails === true, told);
    // A tool that crashed or hung has not refused.
    assert.ok(code < 124 || code === 255, told);
    for (const expected of [row.says ?? []].flat()) assert.match(said, expected, told);
    if (row.hides !== undefined) assert.doesNotMatch(said, row.hides, told);
  }
}

/**
 * `piv`: yubico-piv-tool on the virtual reader. `certified SLOT ALGORITHM`: a key made on the card,
 * its certificate signed by openssl (the tool's own selfsign is broken in 2.2.0), imported.
 * `apdu HEX…`: bare commands, one after another; `answer`: the data of the last answer, in digits.
 * `letgo`: GnuPG gives the card back; gpgconf returns before scdaemon has ended.
 */
const WORDS = `
piv() { yubico-piv-tool -r Virtual "$@"; }
pin() { piv -a verify-pin -P 123456 "$@"; }
p11() { pkcs11-tool --login --pin 123456 "$@"; }
certified() {
  piv -a generate -s $1 -A $2 -o $1.pub
  openssl x509 -req -in holder.csr -CA ca.crt -CAkey ca.pem -CAcreateserial \\
    -force_pubkey $1.pub -days 2 -out $1.crt 2> /dev/null
  piv -a import-certificate -s $1 -i $1.crt
}
apdu() {
  local list=()
  for one in "$@"; do list+=(-s "$one"); done
  opensc-tool --card-driver default "\${list[@]}" 2> /dev/null
}
answer() { tac | sed '/^Received/q' | tac | tail -n +2 | cut -c1-48 | tr -d ' \\n' | tr A-F a-f; }
raw() { xxd -r -p; }
letgo() {
  gpgconf --kill all
  while ps -C scdaemon -o stat= | grep -qv Z; do sleep 0.05; done
}
`;
