import type { SessionPhase } from "../../gateway/view.ts";

/** A picture of the phase; what it shows is always said in words beside it. */
export function PhaseIcon(props: { phase: SessionPhase["phase"] }) {
  return (
    <svg class="phase" viewBox="0 0 64 64" aria-hidden="true">
      <path d={PATHS[props.phase]} />
    </svg>
  );
}

/** A reader with a slot, an arrow into it. */
const READER = "M12 42v8a4 4 0 0 0 4 4h32a4 4 0 0 0 4-4v-8M8 42h48";
const CARD = "M20 42V16a4 4 0 0 1 4-4h16a4 4 0 0 1 4 4v26M28 19h8v8h-8z";
const DIAL = "M32 10a22 22 0 1 1-22 22";
const SHIELD = "M32 8l20 8v14c0 13-8.5 21.5-20 26-11.500-4.500-20-13-20-26V16z";
const RING = "M32 10a22 22 0 1 1 0 44 22 22 0 0 1 0-44";

const PATHS: Readonly<Record<SessionPhase["phase"], string>> = {
  "no-reader": `${READER}M22 14l20 20M42 14L22 34`,
  "no-card": `${READER}M32 10v22M23 24l9 9 9-9`,
  "reading": DIAL,
  "expired": `${RING}M32 20v13l9 5`,
  "pin-asked": `${CARD}${READER}`,
  "suspended": DIAL,
  "unlocking": DIAL,
  "blocked": `${RING}M17 17l30 30`,
  "refused": `${SHIELD}M25 24l14 14M39 24L25 38`,
  "up": `${SHIELD}M22 31l8 8 13-14`,
  "failed": `${RING}M32 20v15M32 43v1`,
};
