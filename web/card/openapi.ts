/** The description (OpenAPI 3.1) of the card's API, which the portal serves to terminals. */
export function cardOpenapi(version: string): Record<string, unknown> {
  const lease = { $ref: "#/components/schemas/Lease" };
  const fault = { $ref: "#/components/schemas/Fault" };
  const json = (description: string, schema: unknown) => ({
    description,
    content: { "application/json": { schema } },
  });
  const id = { name: "id", in: "path", required: true, schema: { type: "string" } };
  const refused = {
    403: json("Not a terminal that may, or a foreign Origin", fault),
    404: json("Nothing is shared, or no such lease of this terminal", fault),
    409: json("No card that is lent (`fault` says why), or a command is under way", fault),
  };
  const answer = json("The card's raw answer: data and status word, or the gateway's refusal", {
    $ref: "#/components/schemas/Answer",
  });
  return {
    openapi: "3.1.0",
    info: {
      title: "Sekisho shared card",
      version,
      license: { name: "Apache-2.0" },
      description: "One terminal at a time uses the card in the gateway's reader. Terminals are " +
        "known by their address. Requests that change something need the gateway's own Origin. " +
        "A PIN never goes in a command: it goes sealed (HPKE, RFC 9180) to `pin`.",
    },
    paths: {
      "/api/v1/card": {
        get: {
          summary: "Who has the card and who waits",
          responses: { 200: json("Now", { $ref: "#/components/schemas/Share" }), ...refused },
        },
      },
      "/api/v1/card/leases": {
        post: {
          summary: "Asks for the card; ask again for the lease at least every 30 s while it waits",
          responses: {
            201: json("Granted", lease),
            202: json("Waiting", lease),
            ...refused,
            503: json("Too many wait", fault),
          },
        },
      },
      "/api/v1/card/leases/{id}": {
        get: {
          summary: "The lease now, or after its next change",
          parameters: [id, {
            ...{ name: "wait", in: "query" },
            description: "Seconds to wait for a change, at most 25",
            schema: { type: "integer", minimum: 0, maximum: 25, default: 0 },
          }],
          responses: { 200: json("The lease", lease), ...refused },
        },
        delete: {
          summary: "Gives the card back, or gives up waiting",
          parameters: [id],
          responses: { 204: { description: "Over" }, ...refused },
        },
      },
      "/api/v1/card/leases/{id}/commands": {
        post: {
          summary: "One command; VERIFY with a PIN and keys whose results are secret are refused",
          parameters: [id],
          requestBody: json("A command APDU in hexadecimal", {
            $ref: "#/components/schemas/Answer",
          }),
          responses: { 200: answer, ...refused, 413: json("Too large", fault) },
        },
      },
      "/api/v1/card/leases/{id}/pin": {
        post: {
          summary: "Shows a PIN, sealed to `pin` of /api/v1/card, to the selected application",
          parameters: [id],
          requestBody: json("The sealed PIN", { $ref: "#/components/schemas/SealedPin" }),
          responses: { 200: answer, ...refused },
        },
      },
      "/api/v1/card/give-up": {
        post: {
          summary: "Ends all that this terminal holds or waits for",
          responses: { 204: { description: "Done" }, ...refused },
        },
      },
      "/api/v1/card/socket": {
        get: {
          summary: "The same over a WebSocket: opening asks, closing gives back",
          description: "In: {type: command, apdu}, {type: pin, engine, enc, ciphertext, " +
            "reference}, {type: release}. Out: {type: lease, lease}, {type: response, apdu}, " +
            "{type: fault, fault, error}, {type: refused, fault, error}.",
          responses: { 101: { description: "Switching" }, 503: json("Too many", fault) },
        },
      },
    },
    components: { schemas: SCHEMAS },
  };
}

const STRING = { type: "string" };
const TIME = { type: "integer", description: "Unix milliseconds" };
const PERSON = {
  terminal: STRING,
  label: STRING,
  way: { enum: ["reader", "program"] },
  since: TIME,
};

const SCHEMAS = {
  Fault: {
    type: "object",
    required: ["error"],
    properties: { error: STRING, fault: STRING },
  },
  Answer: {
    type: "object",
    required: ["apdu"],
    properties: { apdu: { type: "string", pattern: "^([0-9a-fA-F]{2})+$" } },
  },
  SealedPin: {
    type: "object",
    required: ["engine", "enc", "ciphertext"],
    properties: {
      engine: STRING,
      enc: { type: "string", description: "base64url, 32 bytes" },
      ciphertext: {
        type: "string",
        description: "base64url, 81 bytes: the PIN, 0x80, zeros up to 65 bytes; and the tag",
      },
      reference: { type: "integer", default: 128, description: "P2 of VERIFY" },
    },
  },
  Lease: {
    type: "object",
    required: ["id", "state"],
    properties: {
      id: STRING,
      state: { enum: ["waiting", "granted", "ended"] },
      place: { type: "integer", description: "1: the next" },
      holder: STRING,
      until: TIME,
      idleMs: { type: "integer" },
      atr: STRING,
      reason: STRING,
    },
  },
  Share: {
    type: "object",
    required: ["open", "idleMs", "hardMs", "waiting", "waitingInAll"],
    properties: {
      open: { type: "boolean" },
      closed: {
        enum: ["no-card", "locked", "expired", "blocked", "refused", "failed", "stick"],
        description: "Why the card isn't lent now",
      },
      idleMs: { type: "integer" },
      hardMs: { type: "integer" },
      holder: { type: "object", properties: { ...PERSON, until: TIME } },
      waiting: { type: "array", items: { type: "object", properties: PERSON } },
      waitingInAll: { type: "integer" },
      atr: STRING,
      pin: { type: "object", properties: { engine: STRING, publicKey: STRING } },
      you: { type: "string", description: "This terminal, as `terminal` names it" },
    },
  },
};
