import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { JARS } from '../../infra/local/toolchain/jars';
import { SEARCH_ATTRIBUTES } from '../../domain/search-attribute-names';
import { STACK_OUTPUTS } from '../../domain/stack-outputs';
import { readTemporalSettings } from '../../edge/temporal-settings';
import { readWorkerConfig } from '../../worker/config';

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile?: string };
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly env_file?: readonly { readonly path: string; readonly required: boolean }[];
  readonly network_mode?: string;
  readonly profiles?: readonly string[];
  readonly read_only?: boolean;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

const root = join(__dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const compose = parse(read('docker-compose.temporal.yml')) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
/** `${NAME:-value}` as Compose reads it without that name. */
const withDefaults = (text: string) => text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');

describe('docker-compose.temporal.yml', () => {
  test('offers Temporal with its UI, PostGIS and the local AWS at the ports of the embedded stack, on 127.0.0.1 alone', () => {
    const ports = services.flatMap(([, { ports }]) => ports ?? []);

    expect(ports.map((port) => withDefaults(port)).sort()).toEqual(
      ['127.0.0.1:4566:4566', '127.0.0.1:54321:5432', '127.0.0.1:7233:7233', '127.0.0.1:8233:8233'].sort(),
    );
    expect(ports.map((port) => /\$\{(\w+)/.exec(port)?.[1]).sort()).toEqual(
      ['MERIDIAN_AWS_PORT', 'MERIDIAN_POSTGRES_PORT', 'MERIDIAN_TEMPORAL_PORT', 'MERIDIAN_TEMPORAL_UI_PORT'].sort(),
    );
  });

  test.each(services)('%s runs an image of one exact version', (_name, { image }) => {
    expect(image).toMatch(/^[a-z0-9/-]+:\d+[.\d]*[.-]\d+[a-z0-9.-]*$/);
  });

  test.each(services.filter(([, { ports, build }]) => ports !== undefined || build !== undefined))(
    '%s says when it is healthy',
    (_name, { healthcheck }) => {
      expect(healthcheck?.test.length).toBeGreaterThan(1);
    },
  );

  test('what keeps data keeps it in a named volume', () => {
    const mounted = services.flatMap(([, { volumes }]) => volumes ?? []).map((volume) => volume.split(':')[0]);

    expect(mounted.sort()).toEqual(Object.keys(compose.volumes).sort());
    expect(mounted).toHaveLength(4);
  });

  test('services wait for the health of what they need, and name services that exist', () => {
    const needs = services.flatMap(([, { depends_on }]) => Object.entries(depends_on ?? {}));

    expect(needs.length).toBeGreaterThan(0);
    for (const [name, { condition }] of needs) {
      expect([name, compose.services[name] === undefined, condition]).toEqual([name, false, 'service_healthy']);
    }
  });

  test('no password is written down: Compose refuses to start without one', () => {
    const passwords = services
      .flatMap(([, { environment }]) => Object.entries(environment ?? {}))
      .filter(([name]) => /PASSWORD|PWD/.test(name));

    expect(passwords).toHaveLength(4);
    for (const [, value] of passwords) expect(value).toMatch(/^\$\{MERIDIAN_POSTGRES_PASSWORD:\?[^}]+\}$/);
  });

  test('the namespace gets every search attribute that the workflow sets', () => {
    const words = compose.services['temporal-attributes']?.entrypoint ?? [];
    const valuesOf = (option: string) =>
      words.filter((word) => word.startsWith(option)).map((word) => word.slice(option.length));

    const types = valuesOf('--type=');
    const created = Object.fromEntries(valuesOf('--name=').map((name, index) => [name, types[index]]));

    expect(created).toEqual(SEARCH_ATTRIBUTES);
  });

  test('the database gets the roles and settings of the embedded one', () => {
    const embedded = readdirSync(join(root, 'infra/local'))
      .filter((name) => /^postgres.*\.ts$/.test(name))
      .map((name) => read(`infra/local/${name}`))
      .join('');
    const roles = [...read('docker-compose.temporal.yml').matchAll(/create role (\w+) login/g)].map(([, role]) => role);
    const settings = compose.services['postgres']?.command?.filter((word) => word.includes('=')) ?? [];

    expect(roles).toEqual(
      /const ROLES = \[(.*)\]/
        .exec(embedded)?.[1]
        ?.split(', ')
        .map((role) => role.replace(/'/g, '')),
    );
    expect(settings).toHaveLength(3);
    for (const [name, value] of settings.map((setting) => setting.split('=')))
      expect(embedded).toContain(`${name}: '${value}'`);
  });
});

describe('The worker in a container', () => {
  const worker = compose.services['worker'];

  test("S2.21 has all that a worker needs from its file, and the rest from what a deployment writes to the stack's settings", () => {
    const own = Object.fromEntries(Object.entries(worker?.environment ?? {}).map(([name, value]) => [name, withDefaults(value)]));
    const deployed = Object.fromEntries([...Object.values(STACK_OUTPUTS), 'MERIDIAN_JOBS_URI', 'AWS_REGION'].map((name) => [name, 'deployed']));

    expect(worker?.env_file).toEqual([{ path: '.meridian/stack.env', required: false }]);
    expect(readWorkerConfig({ ...deployed, ...own })).toMatchObject({ workDir: '/scratch', metricsAddress: '127.0.0.1:9464' });
    expect(() => readWorkerConfig(own)).toThrow(/MERIDIAN_RAW_BUCKET is not set/);
    // It would refuse an address in clear that is not loopback.
    expect(readTemporalSettings(own)).toMatchObject({ address: '127.0.0.1:7233', namespace: 'default' });
    expect(own['PGHOST']).toBe('127.0.0.1');
    expect(worker).toMatchObject({ network_mode: 'host', profiles: ['worker'], read_only: true });
  });

  test('is the image of the release that runs on AWS, and may write where that image has its one volume', () => {
    const dockerfile = worker?.build?.dockerfile ?? '';
    const { version } = JSON.parse(read('package.json')) as { readonly version: string };

    expect(worker?.image).toBe(`meridian-worker:${version}`);
    expect([worker?.build?.context, dockerfile]).toEqual(['.', 'infra/aws/images/worker/Dockerfile']);
    expect(read(dockerfile)).toMatch(/^VOLUME \/scratch$/m);
    expect(worker?.volumes).toEqual(['worker:/scratch']);
    expect(read(dockerfile)).toContain(` ${worker?.healthcheck?.test.at(-1)}\n`);
  });
});

describe('Versions of the compose file and of the embedded stack', () => {
  const dockerfile = read('infra/local/aws/Dockerfile');

  test('the local AWS is the pinned emulator, built from the same requirements', () => {
    const pinned = /^ministack==(.+)$/m.exec(read('infra/local/aws/requirements.txt'))?.[1];

    expect(compose.services['aws']?.image).toBe(`meridian-local-aws:${pinned}`);
    expect(compose.services['aws']?.build?.context).toBe('infra/local/aws');
    expect(dockerfile).toMatch(/^COPY requirements\.txt .*\nRUN pip install .*-r .*requirements\.txt$/m);
    expect(dockerfile).toMatch(/^CMD \["python", "-m", "meridian_aws"\]$/m);
  });

  test('its image is made from exact versions', () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);

    expect(bases).toHaveLength(2);
    for (const image of bases) expect(image).toMatch(/:\d+\.\d+\.\d+/);
  });

  test('its image has the jars of the embedded stack', () => {
    const copied = [...dockerfile.matchAll(/^ +(\S+:\S+:[^\s;]+);? \\$/gm)].map(([, coordinates]) => coordinates);

    expect(copied.sort()).toEqual(
      JARS.map(({ groupId, artifactId, version }) => `${groupId}:${artifactId}:${version}`).sort(),
    );
  });
});
