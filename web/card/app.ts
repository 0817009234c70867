import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as v from "valibot";
import type { GatewayView, LeaseAnswer, LeaseRefused, LeaseView } from "../../gateway/view.ts";
import { jsonBody } from "../shared/json_body.ts";
import { peerAddress, type PeerEnv } from "../shared/peer.ts";
import {
  commandSchema,
  leasePinSchema,
  LONGEST_WAIT_SECONDS,
  MAX_COMMAND_BODY,
  waitSchema,
} from "./lease_bodies.ts";
import { cardOpenapi } from "./openapi.ts";

/**
 * The shared card for programs on terminals, below the portal: ask for a lease, wait for it, send
 * commands, give it back. A terminal is known by its address; nobody else's lease is found by it.
 */
export function cardApp(view: GatewayView): Hono<PeerEnv> {
  const app = new Hono<PeerEnv>();
  const small = bodyLimit({
    maxSize: MAX_COMMAND_BODY,
    onError: (c) => c.json({ error: "Cannot take the body: it is too large" }, 413),
  });

  app.get("/openapi.json", (c) => c.json(cardOpenapi(view.status().version)));

  app.get("/", async (c) => {
    const share = view.share();
    if (share === undefined) return c.json(refusalBody("not-shared"), 404);
    const you = await view.leases.terminalAt(peerAddress(c));
    return c.json({ ...share, ...(you === undefined ? {} : { you: you.key }) });
  });

  app.post("/leases", async (c) => {
    const lease = await view.leases.request(peerAddress(c));
    if ("refused" in lease) {
      return c.json(refusalBody(lease.refused), REFUSALS[lease.refused].status);
    }
    const path = `${new URL(c.req.url).pathname}/${lease.id}`;
    return c.json(lease, lease.state === "waiting" ? 202 : 201, { Location: path });
  });

  app.get("/leases/:id", async (c) => {
    const query = v.safeParse(waitSchema, c.req.query());
    if (!query.success) {
      return c.json({ error: "Cannot read wait: expected seconds, 0 to 99" }, 400);
    }
    const waitMs = Math.min(query.output.wait, LONGEST_WAIT_SECONDS) * 1_000;
    const lease = await view.leases.lease(c.req.param("id"), { address: peerAddress(c), waitMs });
    return lease === undefined ? c.json(NO_LEASE, 404) : c.json(lease);
  });

  app.post("/leases/:id/commands", small, async (c) => {
    const body = await jsonBody(c, commandSchema);
    if ("refusal" in body) return body.refusal;
    const { apdu } = body.value;
    const answer = await view.leases.exchange(c.req.param("id"), { address: peerAddress(c), apdu });
    return answerOf(answer);
  });

  app.post("/leases/:id/pin", small, async (c) => {
    const body = await jsonBody(c, leasePinSchema);
    if ("refusal" in body) return body.refusal;
    const { reference, ...sealed } = body.value;
    const address = peerAddress(c);
    return answerOf(await view.leases.verify(c.req.param("id"), { address, sealed, reference }));
  });

  app.delete("/leases/:id", async (c) => {
    const isOver = await view.leases.release(c.req.param("id"), peerAddress(c));
    return isOver ? c.body(null, 204) : c.json(NO_LEASE, 404);
  });

  app.post("/give-up", async (c) => {
    const isOver = await view.leases.giveUp(peerAddress(c));
    return isOver ? c.body(null, 204) : c.json(refusalBody("not-allowed"), 403);
  });

  return app;
}

/** A lease as the socket and the API tell it. */
export type ToldLease = LeaseView;

const NO_LEASE = {
  error: "Cannot find this lease: it ended a while ago, or is another terminal's",
  fault: "no-lease",
};

/** What is said when the card can't be waited for. */
export const REFUSALS = {
  "not-shared": {
    status: 404,
    error: "Cannot lend the card: this gateway shares none; its configuration has no [share]",
  },
  "not-allowed": {
    status: 403,
    error: "Cannot lend the card: this terminal is not named; ask the administrator",
  },
  "no-card": { status: 409, error: "Cannot lend the card: none is in the reader; insert one" },
  "locked": {
    status: 409,
    error: "Cannot lend the card: its holder was not verified; enter the PIN at the portal",
  },
  "expired": {
    status: 409,
    error: "Cannot lend the card: it has expired; ask its issuer to renew it",
  },
  "blocked": {
    status: 409,
    error: "Cannot lend the card: its PIN is blocked; its issuer can unblock it",
  },
  "refused": {
    status: 409,
    error: "Cannot lend the card: this gateway does not accept it; the portal says why",
  },
  "failed": {
    status: 409,
    error: "Cannot lend the card: its session failed; take it out and put it in again",
  },
  "stick": {
    status: 409,
    error: "Cannot lend a card: what is in the gateway is a stick; insert a card in its place",
  },
  "too-many": { status: 503, error: "Cannot lend the card: too many wait for it; try again later" },
} as const satisfies Record<LeaseRefused, { status: number; error: string }>;

export function refusalBody(why: LeaseRefused): { error: string; fault: string } {
  return { error: REFUSALS[why].error, fault: why };
}

function answerOf(answer: LeaseAnswer): Response {
  if (answer.is === "response") return Response.json({ apdu: answer.apdu.toHex() });
  return Response.json(FAULTS[answer.fault], { status: answer.fault === "no-lease" ? 404 : 409 });
}

/** What is said when a command did not reach the card. */
export const FAULTS = {
  "no-lease": { error: "Cannot send the command: the lease is not in force", fault: "no-lease" },
  "busy": {
    error: "Cannot send the command: the one before has no answer yet; wait for it",
    fault: "busy",
  },
  "not-sealed-to-me": {
    error: "Cannot open the PIN: it was sealed to another card's engine; seal it again",
    fault: "not-sealed-to-me",
  },
} as const;
