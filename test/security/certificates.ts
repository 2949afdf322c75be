import { createPrivateKey, createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

/** A key pair and its certificate, PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** An authority of a test's own. */
export interface Authority extends Certificate {
  /** A server's certificate for these names: DNS names, or IPv4 addresses. */
  issue(names: readonly string[]): Certificate;
}

const DAY_MS = 86_400_000;
const OID = { commonName: '550403', ecdsaSha256: '2a8648ce3d040302', basicConstraints: '551d13', subjectAltName: '551d11' } as const;

/** Makes an authority; nothing of it outlives the test. */
export function createAuthority(name: string): Authority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = sign({ subject: name, publicKey, issuer: name, signingKey: privateKey, extension: extension(OID.basicConstraints, sequence(BOOLEAN_TRUE), true) });
  return {
    certificate,
    key: pem(privateKey),
    issue(names) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const alternatives = sequence(...names.map((each) => (/^[\d.]+$/.test(each) ? der(0x87, Buffer.from(each.split('.').map(Number))) : der(0x82, Buffer.from(each)))));
      return {
        certificate: sign({ subject: names[0] ?? '', publicKey: pair.publicKey, issuer: name, signingKey: privateKey, extension: extension(OID.subjectAltName, alternatives) }),
        key: pem(pair.privateKey),
      };
    },
  };
}

interface Content {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly issuer: string;
  readonly signingKey: KeyObject;
  readonly extension: Buffer;
}

/** X.509 v3, valid from yesterday until tomorrow. @see RFC 5280, section 4.1 */
function sign(content: Content): string {
  const algorithm = sequence(oid(OID.ecdsaSha256));
  const toBeSigned = sequence(
    der(0xa0, integer(2)),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguishedName(content.issuer),
    sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    distinguishedName(content.subject),
    content.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(content.extension)),
  );
  const signature = createSign('sha256').update(toBeSigned).sign(createPrivateKey(pem(content.signingKey)));
  const base64 = sequence(toBeSigned, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature]))).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`;
}

const BOOLEAN_TRUE = Buffer.from([0x01, 0x01, 0xff]);

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [BOOLEAN_TRUE] : []), der(0x04, value));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid(OID.commonName), der(0x0c, Buffer.from(commonName)))));
}

function time(instantMs: number): Buffer {
  return der(0x18, Buffer.from(`${new Date(instantMs).toISOString().replace(/[-:T]|\.\d+/g, '')}`));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.from([value]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
