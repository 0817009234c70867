/** What stock tools do with the PIV application. */
import type { Row } from "./rows.ts";

/** DER before a bare public key of Ed25519 and of X25519 (RFC 8410 section 4). */
const SPKI = { ed25519: "302a300506032b6570032100", x25519: "302a300506032b656e032100" };

export const READING: readonly Row[] = [
  {
    shows: "opensc-tool -n: a PIV card by its answer to reset",
    run: "opensc-tool -n",
    says: /^Personal Identity Verification Card$/m,
  },
  {
    shows: "opensc-tool -a: the answer to reset",
    run: "opensc-tool -a",
    says: /^3b:8d:80:01:80:fb:a0:00:00:03:08:00:00:10:00:01:00:cd$/m,
  },
  { shows: "opensc-tool -l: the reader has a card", run: "opensc-tool -l", says: /Yes.*Virtual/ },
  {
    shows: "opensc-tool -s: SELECT, and the CHUID by GET DATA",
    run: "apdu 00:A4:04:00:09:A0:00:00:03:08:00:00:10:00:00 00:CB:3F:FF:05:5C:03:5F:C1:02:00",
    says: [/Received \(SW1=0x90, SW2=0x00\):\n61/, /Received \(SW1=0x90, SW2=0x00\):\n53 3B 30 19/],
  },
  {
    shows: "opensc-tool -s: an object that is not there",
    run: "apdu 00:CB:3F:FF:05:5C:03:5F:C1:05:00",
    says: /SW1=0x6A, SW2=0x82/,
  },
  {
    shows: "status: version, serial number, CHUID, CCC and tries",
    run: "piv -a status",
    says: [
      /^Version:\s+5\.7\.0$/m,
      /^Serial Number:\s+4711$/m,
      /^CHUID:\s+3019/m,
      /^CCC:\s+f015/m,
      /^PIN tries left:\s+3$/m,
    ],
  },
  { shows: "version", run: "piv -a version", says: /Application version 5\.7\.0 found/ },
];

export const PINS: readonly Row[] = [
  { shows: "verify-pin: the right one", run: "pin", says: /Successfully verified PIN/ },
  {
    shows: "verify-pin: wrong, two left",
    run: "piv -a verify-pin -P 000000",
    fails: true,
    says: /2 tries left/,
  },
  {
    shows: "verify-pin: wrong again, one left",
    run: "piv -a verify-pin -P 000000",
    fails: true,
    says: /1 tries left/,
  },
  { shows: "verify-pin: right again", run: "pin", says: /Successfully verified PIN/ },
  { shows: "status: all tries are back", run: "piv -a status", says: /^PIN tries left:\s+3$/m },
  {
    shows: "pkcs15-tool --verify-pin: right",
    run: "pkcs15-tool --verify-pin --auth-id 01 --pin 123456",
  },
  {
    shows: "pkcs15-tool --verify-pin: wrong",
    run: "pkcs15-tool --verify-pin --auth-id 01 --pin 999999",
    fails: true,
    says: /PIN code or key incorrect/,
  },
  {
    shows: "pkcs11-tool --login: wrong",
    run: "pkcs11-tool --login --pin 888888 -O",
    fails: true,
    says: /CKR_PIN_INCORRECT/,
  },
  { shows: "and right again", run: "pin" },
];

export const OBJECTS: readonly Row[] = [
  {
    shows: "write-object: 3,000 bytes",
    run:
      "head -c 3000 /dev/urandom > object; piv -a write-object --id 0x5f4000 -f binary -i object",
  },
  {
    shows: "read-object: the same 3,000 bytes",
    run: "piv -a read-object --id 0x5f4000 -f binary -o back; cmp object back",
  },
  {
    shows: "read-object: what is not there",
    run: "piv -a read-object --id 0x5f4002 -f binary -o none",
    fails: true,
  },
  {
    shows: "write-object: larger than a card takes",
    run: "head -c 3060 /dev/zero > large; piv -a write-object --id 0x5f4002 -f binary -i large",
    fails: true,
  },
  {
    shows: "set-chuid and set-ccc: new ones",
    run: "piv -a status > before; piv -a set-chuid -a set-ccc; piv -a status > after; " +
      "! diff before after",
    says: [/CHUID/, /CCC/],
  },
];

export const KEYS: readonly Row[] = [
  {
    shows: "generate P-256 in 9a, certificate by openssl, import-certificate",
    run: "certified 9a ECCP256",
  },
  {
    shows: "status: the certificate in 9a",
    run: "piv -a status",
    says: /Slot 9a:[\s\S]*Algorithm:\s+ECCP256[\s\S]*CN=holder/,
  },
  {
    shows: "read-certificate: openssl verifies it",
    run: "piv -a read-certificate -s 9a -o back.crt; openssl verify -CAfile ca.crt back.crt",
    says: /back\.crt: OK/,
  },
  {
    shows: "test-signature: P-256",
    run: "pin -a test-signature -s 9a -i 9a.crt",
    says: /Successful ECDSA/,
  },
  {
    shows: "test-decipher: P-256",
    run: "pin -a test-decipher -s 9a -i 9a.crt",
    says: /performed ECDH exchange/,
  },
  {
    shows: "test-signature: not without the PIN",
    run: "piv -a test-signature -s 9a -i 9a.crt",
    fails: true,
  },
  { shows: "generate RSA-2048 in 9c, import-certificate", run: "certified 9c RSA2048" },
  {
    shows: "test-signature: RSA-2048",
    run: "pin -a test-signature -s 9c -i 9c.crt",
    says: /Successful RSA/,
  },
  {
    shows: "test-decipher: RSA-2048",
    run: "pin -a test-decipher -s 9c -i 9c.crt",
    says: /performed RSA decryption/,
  },
  {
    shows: "test-signature in 9c: one PIN is one signature",
    run: "pin -a test-signature -a test-signature -s 9c -i 9c.crt",
    fails: true,
  },
  { shows: "generate P-256 in 9d, import-certificate", run: "certified 9d ECCP256" },
  { shows: "generate P-256 in 9e, import-certificate", run: "certified 9e ECCP256" },
  {
    shows: "test-signature in 9e: without a PIN",
    run: "piv -a test-signature -s 9e -i 9e.crt",
    says: /Successful ECDSA/,
  },
  {
    shows: "import-key: RSA-2048 in 82",
    run: "openssl genrsa -out rsa.pem 2048 2> /dev/null; " +
      "openssl req -new -x509 -key rsa.pem -subj /CN=imported -days 2 -out rsa.crt; " +
      "piv -a import-key -s 82 -i rsa.pem",
    says: /Successfully imported/,
  },
  {
    shows: "test-decipher: the imported RSA key",
    run: "pin -a test-decipher -s 82 -i rsa.crt",
    says: /RSA decryption/,
  },
  {
    shows: "import-key: P-256 in 83",
    run: "openssl req -new -x509 -key peer.pem -subj /CN=imported -days 2 -out peer.crt; " +
      "piv -a import-key -s 83 -i peer.pem",
    says: /Successfully imported/,
  },
  {
    shows: "test-signature: the imported P-256 key",
    run: "pin -a test-signature -s 83 -i peer.crt",
    says: /Successful ECDSA/,
  },
  {
    shows: "import-certificate and delete-certificate in 82",
    run: "piv -a import-certificate -s 82 -i rsa.crt; piv -a read-certificate -s 82 > /dev/null; " +
      "piv -a delete-certificate -s 82; ! piv -a read-certificate -s 82",
  },
  {
    shows: "attest: openssl verifies it by the card's attestation certificate",
    run: "piv -a attest -s 9a -o attestation.crt; piv -a read-certificate -s f9 -o attester.crt; " +
      "openssl verify -CAfile attester.crt attestation.crt; " +
      "openssl x509 -in attestation.crt -noout -pubkey | cmp - 9a.pub",
    says: /attestation\.crt: OK/,
  },
  { shows: "attest: not what was imported", run: "piv -a attest -s 83", fails: true },
  {
    shows: "generate: not with another management key",
    run: `piv --key=${"00".repeat(24)} -a generate -s 9a -A ECCP256`,
    fails: true,
    says: /Failed authentication/,
  },
];

export const PKCS15: readonly Row[] = [
  {
    shows: "pkcs15-tool -c: four certificates",
    run: "test $(pkcs15-tool -c | grep -c '^X.509 Certificate') = 4",
  },
  {
    shows: "pkcs15-tool -k: their private keys",
    run: "test $(pkcs15-tool -k | grep -cE '^Private (EC|RSA) Key') = 4",
  },
  {
    shows: "pkcs15-tool --list-pins: PIN and PUK",
    run: "test $(pkcs15-tool --list-pins | grep -c '^PIN \\[') = 2",
  },
  {
    shows: "pkcs15-tool --read-certificate: what was imported",
    run: "pkcs15-tool --read-certificate 01 -o read.crt; " +
      "openssl x509 -in read.crt -outform DER | cmp - <(openssl x509 -in 9a.crt -outform DER)",
  },
  {
    shows: "pkcs15-tool --read-public-key: the key that was made",
    run: "pkcs15-tool --read-public-key 03 -o read.pub; " +
      "openssl pkey -pubin -in read.pub -outform DER | " +
      "cmp - <(openssl pkey -pubin -in 9d.pub -outform DER)",
  },
  {
    shows: "pkcs15-tool -C: the data objects of PIV",
    run: "pkcs15-tool -C",
    says: [/Card Holder Unique Identifier/, /Card Capability Container/],
  },
  {
    shows: "pkcs15-tool --read-data-object: the CHUID",
    run: "pkcs15-tool --raw --read-data-object 'Card Holder Unique Identifier' -o chuid; " +
      "xxd -p chuid | head -c 8",
    says: /533b3019/,
  },
];

export const PKCS11: readonly Row[] = [
  {
    shows: "pkcs11-tool -L: a token with its PIN",
    run: "pkcs11-tool -L",
    says: [/token initialized, PIN initialized/, /pin min\/max\s+: 4\/8/],
  },
  {
    shows: "pkcs11-tool -M: signs, deciphers and derives",
    run: "pkcs11-tool -M",
    says: [/ECDSA, keySize=\{256,/, /RSA-PKCS, keySize=\{1024/, /ECDH1-COFACTOR-DERIVE/],
  },
  {
    shows: "pkcs11-tool -O: keys and certificates",
    run: "p11 -O",
    says: [
      /Private Key Object; EC/,
      /Private Key Object; RSA/,
      /Certificate Object; type = X\.509/,
    ],
  },
  {
    shows: "sign with P-256, hashed by the tool",
    run: "p11 --sign -i message -m ECDSA-SHA256 --id 01 --signature-format openssl -o sig; " +
      "openssl dgst -sha256 -verify 9a.pub -signature sig message",
    says: /Verified OK/,
  },
  {
    shows: "sign with P-256, hashed before",
    run: "openssl dgst -sha384 -binary message > hash; " +
      "p11 --sign -i hash -m ECDSA --id 01 --signature-format openssl -o sig; " +
      "openssl pkeyutl -verify -pubin -inkey 9a.pub -in hash -sigfile sig",
    says: /Verified Successfully/,
  },
  {
    shows: "sign with RSA-2048, PKCS #1 v1.5",
    run: "p11 --sign -i message -m SHA256-RSA-PKCS --id 02 -o sig; " +
      "openssl dgst -sha256 -verify 9c.pub -signature sig message",
    says: /Verified OK/,
  },
  {
    shows: "sign with RSA-2048, PSS",
    run: "p11 --sign -i message -m SHA256-RSA-PKCS-PSS --id 02 -o sig; " +
      "openssl dgst -sha256 -sigopt rsa_padding_mode:pss -verify 9c.pub -signature sig message",
    says: /Verified OK/,
  },
  {
    shows: "decipher with RSA-2048 what openssl enciphered",
    run: "openssl pkeyutl -encrypt -pubin -inkey 9c.pub -in message -out cipher; " +
      "p11 --decrypt -i cipher -m RSA-PKCS --id 02 -o plain; cmp message plain",
  },
  {
    shows: "derive with P-256 what openssl derives",
    run: "p11 --derive -m ECDH1-COFACTOR-DERIVE --id 03 -i peer.der -o derived; " +
      "openssl pkeyutl -derive -inkey peer.pem -peerkey 9d.pub | cmp - derived",
  },
  {
    shows: "read the certificate",
    run: "pkcs11-tool --read-object --type cert --id 01 -o read.der; " +
      "openssl x509 -in 9a.crt -outform DER | cmp - read.der",
  },
];

/**
 * These tools know neither Ed25519 nor X25519 on PIV cards (both came with OpenSC 0.26 and
 * yubico-piv-tool 2.7): bare commands by opensc-tool, and openssl as the other side.
 */
export const CURVE25519: readonly Row[] = [
  {
    shows: "opensc-tool: the management key is proven by its challenge",
    run: `
      challenge=$(apdu 00:A4:04:00:05:A0:00:00:03:08:00 00:87:03:9B:04:7C:02:81:00:00 | answer)
      key=010203040506070801020304050607080102030405060708
      proof=$(echo \${challenge:8} | raw | openssl enc -des-ede3 -K $key -nopad | xxd -p)
      apdu 00:87:03:9B:0C:7C:0A:82:08:$(echo $proof | sed 's/../&:/g; s/:$//')`,
    says: /SW1=0x90, SW2=0x00/,
  },
  {
    shows: "Ed25519 in 9a: generated, signs, openssl verifies",
    run: `
      point=$(apdu 00:47:00:9A:05:AC:03:80:01:E0:00 | answer)
      (echo ${SPKI.ed25519} | raw; echo \${point:10} | raw) |
        openssl pkey -pubin -inform DER -out ed.pub
      apdu 00:20:00:80:08:31:32:33:34:35:36:FF:FF \\
        00:87:E0:9A:0D:7C:0B:82:00:81:07:6D:65:73:73:61:67:65:00 | answer > answer
      cut -c9- answer | raw > ed.sig
      printf message > ed.message
      openssl pkeyutl -verify -rawin -pubin -inkey ed.pub -in ed.message -sigfile ed.sig`,
    says: /Verified Successfully/,
  },
  {
    shows: "X25519 in 9d: generated, agrees on what openssl derives",
    run: `
      point=$(apdu 00:47:00:9D:05:AC:03:80:01:E1:00 | answer)
      (echo ${SPKI.x25519} | raw; echo \${point:10} | raw) |
        openssl pkey -pubin -inform DER -out x.pub
      openssl genpkey -algorithm X25519 -out x.peer
      peer=$(openssl pkey -in x.peer -pubout -outform DER | tail -c 32 | xxd -p -c 32)
      agree=00:87:E1:9D:26:7C:24:82:00:85:20:$(echo $peer | sed 's/../&:/g')00
      apdu 00:20:00:80:08:31:32:33:34:35:36:FF:FF $agree | answer | cut -c9- | raw > shared
      openssl pkeyutl -derive -inkey x.peer -peerkey x.pub | cmp - shared`,
  },
  {
    shows: "X25519: a point of small order is refused",
    run: `apdu 00:87:E1:9D:26:7C:24:82:00:85:20:${"00:".repeat(32)}00`,
    says: /SW1=0x6A, SW2=0x80/,
  },
];

export const ADMINISTRATION: readonly Row[] = [
  {
    shows: "change-pin",
    run: "piv -a change-pin -P 123456 -N 654321",
    says: /Successfully changed/,
  },
  {
    shows: "change-pin: the old one is wrong now",
    run: "piv -a change-pin -P 123456 -N 111111",
    fails: true,
    says: /2 tries left/,
  },
  {
    shows: "verify-pin: the old one until it blocks",
    run: "piv -a verify-pin -P 123456 || piv -a verify-pin -P 123456",
    fails: true,
    says: /blocked/,
  },
  {
    shows: "verify-pin: blocked for the new one too",
    run: "piv -a verify-pin -P 654321",
    fails: true,
    says: /blocked/,
  },
  {
    shows: "unblock-pin: a wrong PUK counts down",
    run: "piv -a unblock-pin -P 00000000 -N 222222",
    fails: true,
    says: /2 tries left/,
  },
  {
    shows: "unblock-pin",
    run: "piv -a unblock-pin -P 12345678 -N 222222; piv -a verify-pin -P 222222",
    says: /Successfully unblocked/,
  },
  {
    shows: "change-puk",
    run: "piv -a change-puk -P 12345678 -N 87654321",
    says: /Successfully changed the puk/i,
  },
  {
    shows: "change-puk: the old one is wrong now",
    run: "piv -a change-puk -P 12345678 -N 11111111",
    fails: true,
  },
  {
    shows: "after unblocking, the keys are the same",
    run: "piv -a verify-pin -P 222222 -a test-signature -s 83 -i peer.crt",
    says: /Successful ECDSA/,
  },
  {
    shows: "set-mgm-key: the old one no longer opens",
    run: "piv -a set-mgm-key -n a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8c1c2c3c4c5c6c7c8; piv -a set-chuid",
    fails: true,
    says: [/Successfully set new management key/, /Failed authentication/],
  },
  {
    shows: "set-mgm-key: the new one does",
    run: "piv --key=a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8c1c2c3c4c5c6c7c8 -a set-chuid -a set-ccc",
  },
  {
    shows: "pin-retries: other numbers of tries",
    run: "piv --key=a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8c1c2c3c4c5c6c7c8 -a verify-pin -P 222222 " +
      "-a pin-retries --pin-retries 4 --puk-retries 5; piv -a verify-pin -P 000000",
    fails: true,
    says: [/Successfully changed pin retries/, /3 tries left/],
  },
];

export const RESETTING: readonly Row[] = [
  { shows: "reset: not while a PIN is left", run: "piv -a reset", fails: true },
  {
    shows: "both blocked",
    run: "for i in 1 2 3 4 5 6; do piv -a verify-pin -P 000000 || true; " +
      "piv -a change-puk -P 00000000 -N 11111111 || true; done",
    says: /blocked/,
  },
  { shows: "reset: back to the factory's state", run: "piv -a reset", says: /Successfully reset/ },
  {
    shows: "status: nothing is left",
    run: "piv -a status",
    says: /^PIN tries left:\s+3$/m,
    hides: /Slot 9a/,
  },
  { shows: "the object is gone, too", run: "piv -a read-object --id 0x5f4000", fails: true },
  { shows: "the factory's PIN and management key are back", run: "pin; piv -a set-chuid" },
];
