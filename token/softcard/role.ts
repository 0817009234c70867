import { SoftCard } from "./card.ts";
import { serveControl } from "./control.ts";
import { DEFAULT_PIN, DEFAULT_PUK, factoryCard } from "./factory.ts";
import { FaultPlan } from "./faults.ts";
import { InsertedCard } from "./inserted_card.ts";
import { softwareCrypto, warmUp } from "./software_crypto.ts";
import { parseOptions, type SoftcardOptions, USAGE } from "./options.ts";
import type { CardState } from "./state.ts";
import { lockStateFile, StateFile, StateFileError } from "./state_file.ts";
import { VpcdReader } from "./vpcd_reader.ts";

/**
 * The role `softcard`: a software card on a virtual reader, until SIGINT or SIGTERM. Resolves
 * to the exit code: 0 done, 1 failed (one line on stderr), 2 wrong usage.
 */
export async function softcardRole(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === "help") {
    console.log(USAGE);
    return 0;
  }
  if ("problem" in options) {
    console.error(`${options.problem}; see softcard --help`);
    return 2;
  }
  // State, lock and control socket are for their owner only.
  Deno.umask(0o077);
  try {
    using _lock = lockStateFile(options.state);
    const file = new StateFile(options.state);
    const state = file.load() ?? makeCard(file, options);
    if (file.isSpareUsed) {
      console.error(`softcard: ${options.state} was cut or damaged; went on with its spare copy`);
    }
    // Two whole copies of the same before anything else happens.
    if (file.isUneven && !file.save(state)) throw new StateFileError(unwritable(options.state));
    await serve({ file, state, options });
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

function makeCard(file: StateFile, options: SoftcardOptions): CardState {
  const { pin, puk, serial, state: path } = options;
  const state = factoryCard({
    crypto: softwareCrypto,
    ...(pin === undefined ? {} : { pin }),
    ...(puk === undefined ? {} : { puk }),
    ...(serial === undefined ? {} : { serial }),
  });
  if (!file.save(state)) {
    throw new StateFileError(unwritable(path));
  }
  const pins = [
    pin === undefined ? `PIN ${DEFAULT_PIN}` : "the given PIN",
    puk === undefined ? `PUK ${DEFAULT_PUK}` : "the given PUK",
  ];
  console.log(
    `softcard: made a new card ${state.serial} in ${path} with ${pins.join(" and ")} ` +
      "and the factory's 3DES management key",
  );
  return state;
}

function unwritable(path: string): string {
  return `Cannot write the card's state ${path}: check the path, rights and room`;
}

async function serve(
  run: { file: StateFile; state: CardState; options: SoftcardOptions },
): Promise<void> {
  const { file, state, options } = run;
  warmUp();
  const faults = new FaultPlan();
  const card = new InsertedCard(new SoftCard(state, softwareCrypto), (next) => {
    const saved = file.save(next);
    if (!saved) console.error(`softcard: cannot save ${options.state}; the command is refused`);
    return saved;
  });
  const reader = new VpcdReader({ card, address: options.vpcd, faults });
  const target = { reader, faults, state: () => card.state };
  using _control = options.control === undefined
    ? undefined
    : serveControl(options.control, target);
  const stop = () => reader.stop();
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);
  try {
    if (!options.removed) reader.insert();
    await reader.run();
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
    Deno.removeSignalListener("SIGTERM", stop);
  }
}
