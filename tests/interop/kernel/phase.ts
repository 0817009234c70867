/** How a program in a guest waits for the machine that runs the guest: by a file on either side. */
const ANSWER = "/mnt/answer";
const LOOK_MS = 100;
/** A guard against hanging: a guest starts slowly where its machine has much else to do. */
const LONGEST_MS = 300_000;

/** In the guest: tells that it has come to `name`; resolves when the other side has done its part. */
export async function guestPhase(name: string): Promise<void> {
  await Deno.writeTextFile(`${ANSWER}/${name}`, "");
  await appears(`${ANSWER}/${name}.done`);
}

/** Outside: runs `then` when the guest has come to `name`, and lets it go on. */
export async function atGuestPhase(
  folder: string,
  { name, then }: { name: string; then: () => void | Promise<void> },
): Promise<void> {
  await appears(`${folder}/answer/${name}`);
  await then();
  await Deno.writeTextFile(`${folder}/answer/${name}.done`, "");
}

async function appears(path: string): Promise<void> {
  for (const end = Date.now() + LONGEST_MS; Date.now() < end;) {
    if (await Deno.stat(path).then(() => true, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`Cannot go on: ${path} does not appear`);
}
