/** The API's description (OpenAPI 3.1). The shapes are those of gateway/view.ts. */
export function openapi(version: string): Record<string, unknown> {
  return {
    openapi: "3.1.0",
    info: { title: "Sekisho gateway", version, license: { name: "Apache-2.0" } },
    components: { securitySchemes: SECURITY, schemas: SCHEMAS },
    security: [{ session: [] }],
    paths: {
      "/healthz": {
        get: openGet("The gateway answers", object({ status: { const: "ok" }, version: STRING })),
      },
      "/metrics": {
        get: {
          summary: "Prometheus metrics; open to this machine, else signed in",
          responses: {
            200: { description: "Prometheus text format", content: { "text/plain": {} } },
            401: REFUSED,
          },
        },
      },
      "/api/v1/openapi.json": { get: openGet("This description", {}) },
      "/api/v1/status": { get: get("Everything about the gateway now", ref("Status")) },
      "/api/v1/throughput": {
        get: get(
          "The tunnel's last five minutes, bytes a second",
          object({ samples: list(object({ at: TIME, sent: NUMBER, received: NUMBER })) }),
        ),
      },
      "/api/v1/journal": {
        get: {
          ...get(
            "The journal, newest first",
            object({ entries: list(ref("JournalEntry")), next: INTEGER }, ["entries"]),
          ),
          parameters: [
            query("before", "Only entries with a smaller id", { type: "integer", minimum: 1 }),
            query("limit", "Entries at most", {
              type: "integer",
              minimum: 1,
              maximum: 200,
              default: 50,
            }),
            query("level", "Lowest level to show", { enum: ["info", "warning", "error"] }),
          ],
        },
      },
      "/api/v1/ruleset": {
        get: get("The nftables ruleset in force", object({ ruleset: STRING })),
      },
      "/api/v1/events": {
        get: {
          summary:
            "Server-sent events: status (once a second), session, share, journal, signed-out",
          responses: {
            200: { description: "A stream", content: { "text/event-stream": {} } },
            401: REFUSED,
            503: { description: "Too many listeners; see Retry-After" },
          },
        },
      },
      "/api/v1/share/revoke": {
        post: {
          summary: "Takes the shared card from whoever has it; Origin must be our own",
          responses: {
            200: json("Whether anybody had it", object({ revoked: { type: "boolean" } })),
            401: REFUSED,
            403: { description: "Origin is missing or foreign" },
          },
        },
      },
      "/api/v1/session/end": {
        post: {
          summary: "Ends the card session as if the card had been pulled; Origin must be our own",
          responses: {
            200: json("The session now", object({ session: ref("Session") })),
            401: REFUSED,
            403: { description: "Origin is missing or foreign" },
          },
        },
      },
    },
  };
}

type Schema = Readonly<Record<string, unknown>>;

const STRING: Schema = { type: "string" };
const NUMBER: Schema = { type: "number" };
const INTEGER: Schema = { type: "integer" };
const TIME: Schema = { type: "integer", description: "Unix milliseconds" };
const REFUSED = { description: "Not signed in" };

const SECURITY = { session: { type: "apiKey", in: "cookie", name: "__Host-session" } };

const PERSON: Readonly<Record<string, Schema>> = {
  terminal: STRING,
  label: STRING,
  way: { enum: ["reader", "program"] },
  since: TIME,
};

const SCHEMAS: Readonly<Record<string, Schema>> = {
  Session: {
    type: "object",
    required: ["phase"],
    properties: {
      phase: {
        enum: [
          "no-reader",
          "no-card",
          "reading",
          "expired",
          "pin-asked",
          "suspended",
          "unlocking",
          "blocked",
          "refused",
          "up",
          "failed",
        ],
      },
      holder: STRING,
      triesLeft: INTEGER,
      wrong: { type: "boolean" },
      fault: STRING,
      reason: STRING,
      since: TIME,
      expiresAt: TIME,
      expiredAt: TIME,
      busy: STRING,
      until: TIME,
      from: STRING,
      asksUserId: { type: "boolean", description: "The user id is to be typed with the PIN" },
      slow: { type: "boolean", description: "Unlocking takes longer than usual" },
      touch: { type: "boolean", description: "The card works once its holder touches it" },
      token: { enum: ["stick", "either"] },
    },
  },
  Status: object({
    name: STRING,
    version: STRING,
    now: TIME,
    startedAt: TIME,
    readers: list(object({ name: STRING, card: { enum: ["absent", "present", "mute"] } })),
    session: ref("Session"),
    card: ref("Card"),
    terminals: list(object({
      address: STRING,
      mac: STRING,
      name: STRING,
      leaseUntil: TIME,
      sentBytes: INTEGER,
      receivedBytes: INTEGER,
    }, ["address", "mac", "name", "sentBytes", "receivedBytes"])),
    tunnel: ref("Tunnel"),
    share: ref("Share"),
    drops: { type: "object", additionalProperties: INTEGER },
    warnings: list(STRING),
  }, [
    "name",
    "version",
    "now",
    "startedAt",
    "readers",
    "session",
    "terminals",
    "drops",
    "warnings",
  ]),
  Card: object({
    application: { enum: ["piv", "openpgp", "stick"] },
    carrier: {
      enum: ["card", "folder", "hub", "stick"],
      description: "Where the profile lies; left out where no genuine one was found",
    },
    identities: list(way(["on-card", "sealed"])),
    carriers: list(way(["card", "card-key-only", "folder", "hub", "stick"])),
  }, ["application", "identities", "carriers"]),
  Share: object({
    open: { type: "boolean" },
    idleMs: INTEGER,
    hardMs: INTEGER,
    holder: object({ ...PERSON, until: TIME }),
    waiting: list(object(PERSON)),
    waitingInAll: INTEGER,
    atr: STRING,
    pin: object({ engine: STRING, publicKey: STRING }),
  }, ["open", "idleMs", "hardMs", "waiting", "waitingInAll"]),
  Tunnel: object({
    interface: STRING,
    endpoint: STRING,
    sentBytes: INTEGER,
    receivedBytes: INTEGER,
    countedAt: TIME,
    lastHandshake: TIME,
    identity: { enum: ["sealed", "on-card"] },
    keys: { enum: ["agreed", "manual"] },
    carrier: { enum: ["userspace", "kernel"] },
    addresses: list(STRING),
    destinations: list(STRING),
    otherTraffic: { enum: ["drop", "direct"] },
    inbound: {
      ...list(object({ rule: STRING, to: list(STRING) })),
      description: "What the profile lets the inside begin, and whom it reaches by that",
    },
  }),
  JournalEntry: object({
    id: INTEGER,
    at: TIME,
    level: { enum: ["info", "warning", "error"] },
    event: STRING,
    detail: { type: "object", additionalProperties: { type: ["string", "number"] } },
  }),
};

/** Whether a way is open to the card, and why: a word for programs, with its own facts. */
function way(names: readonly string[]): Schema {
  return object({
    way: { enum: names },
    open: { enum: ["yes", "no", "unknown"] },
    reason: {
      ...object({ key: STRING }),
      additionalProperties: { type: ["string", "number"] },
    },
  });
}

function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function list(items: Schema): Schema {
  return { type: "array", items };
}

function object(
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = Object.keys(properties),
): Schema {
  return { type: "object", required, properties };
}

function json(description: string, schema: Schema) {
  return { description, content: { "application/json": { schema } } };
}

function get(summary: string, schema: Schema) {
  return { summary, responses: { 200: json(summary, schema), 401: REFUSED } };
}

function openGet(summary: string, schema: Schema) {
  return { summary, security: [], responses: { 200: json(summary, schema) } };
}

function query(name: string, description: string, schema: Schema) {
  return { name, in: "query", description, schema };
}
