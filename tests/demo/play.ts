/** After the story: the network stays up, and the newcomer plays with it. */
import { lines } from "../story/lines.ts";
import type { World } from "../story/world.ts";
import { openRelay } from "./relay.ts";

/** Shows where everything is; resolves when asked to end. */
export async function play(
  world: World,
  { port, stop }: { port: number; stop: AbortSignal },
): Promise<void> {
  const { boxes: [box], cards: { office }, network: { lab } } = world;
  const [terminal] = box.site.terminals;
  if (terminal === undefined) throw new Error("Cannot play: no terminal is there");
  await using panel = await openRelay(box.machine, {
    ...box.panel,
    socket: `${lab.dir}/panel.sock`,
    hostPort: port,
  });
  await using portal = await openRelay(terminal.machine, {
    hostname: box.panel.hostname,
    port: 443,
    socket: `${lab.dir}/portal.sock`,
    hostPort: port === 0 ? 0 : port + 1,
  });
  console.log(`
  Panel of ${box.machine.name}    https://127.0.0.1:${panel.port}/   password: ${world.adminPassword}
  Portal, from ${terminal.machine.name}  https://127.0.0.1:${portal.port}/   PIN: ${office.pin}
  (The certificate is the box's own: a browser asks before it goes on.)

  The card of ${office.holder} is in the reader. Type "out" to pull it, "in" to put it back,
  "quit" or Ctrl-C to end.
`);
  const commands = Deno.stdin.isTerminal() ? obey(world) : new Promise<void>(() => {});
  const stopped = new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener("abort", () => resolve());
  });
  await Promise.race([commands, stopped]);
}

/** Resolves at "quit" or the end of input. */
async function obey({ boxes: [box], cards: { office } }: World): Promise<void> {
  for await (const line of lines(Deno.stdin.readable)) {
    switch (line.trim()) {
      case "":
        break;
      case "in":
        await box.insert(office);
        console.log("The card is in the reader: the portal asks for its PIN.");
        break;
      case "out":
        await box.remove();
        console.log("The card is out of the reader.");
        break;
      case "quit":
        return;
      default:
        console.log('Type "in", "out" or "quit".');
    }
  }
}
