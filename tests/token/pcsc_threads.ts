/** Handles and contexts come and go on several threads at once, for so many milliseconds. */
import { CODE, PROTOCOL, SCOPE_SYSTEM } from "../../token/pcsc/winscard.ts";
import { finish, pcsc } from "../../token/pcsc/library.ts";
import { listReaders } from "../../token/pcsc/list.ts";
import { cString } from "../../token/pcsc/reader_states.ts";

const LOOPS = 6;
const SHARE_SHARED = 2n;
const LEAVE = 0n;

const [reader] = await listReaders();
if (reader === undefined) throw new Error("Cannot try threads: no reader is there");
const name = cString(reader.name);
const end = Date.now() + Number(Deno.args[0]);
let handles = 0;
await Promise.all(Array.from({ length: LOOPS }, comeAndGo));
console.log(handles);

async function comeAndGo(): Promise<void> {
  while (Date.now() < end) {
    const [one, other] = [await establish(), await establish()];
    const handle = new BigInt64Array(1);
    const protocol = new BigUint64Array(1);
    const code = await finish(
      pcsc().SCardConnect(one, name, SHARE_SHARED, PROTOCOL.t0 | PROTOCOL.t1, handle, protocol),
      { handle, protocol },
    );
    await Promise.all([
      code === CODE.ok ? finish(pcsc().SCardDisconnect(handle[0] ?? 0n, LEAVE), {}) : undefined,
      finish(pcsc().SCardReleaseContext(other), {}),
    ]);
    await finish(pcsc().SCardReleaseContext(one), {});
    if (code === CODE.ok) handles++;
  }
}

async function establish(): Promise<bigint> {
  const context = new BigInt64Array(1);
  await finish(pcsc().SCardEstablishContext(SCOPE_SYSTEM, null, null, context), context);
  return context[0] ?? 0n;
}
