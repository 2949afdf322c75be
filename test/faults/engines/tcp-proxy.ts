import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArmedRules, type Strike } from './armed-rules';

/** Acts once on what a client sends to a server that is spoken to in plain text, as PostgreSQL is on loopback. */
export interface TcpRule extends Strike {
  /** In what the client sends. */
  readonly text: string;
  /** The same connection must have sent this before: a `commit` of one kind of transaction. */
  readonly since?: string;
  /** `before` the server hears of it; `after` it has answered, and before the client hears of that. */
  readonly moment: 'before' | 'after';
  /** What happens meanwhile; the connection then goes on, unless it is cut. */
  readonly act: (connection: { cut(): void }) => Promise<void>;
}

/** Between a client and PostgreSQL or Temporal. Without rules it passes everything on as it is. */
export class TcpProxy {
  private readonly rules = new ArmedRules<TcpRule>();
  private readonly sockets = new Set<Socket>();
  private down = false;
  private delayMs = 0;

  private constructor(
    private readonly server: Server,
    private readonly upstreamPort: number,
  ) {}

  static async start(upstreamPort: number): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, upstreamPort);
    server.on('connection', (client) => proxy.join(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** @returns how often the rule has acted */
  arm(rule: TcpRule): () => number {
    return this.rules.arm(rule);
  }

  /** Breaks every connection; while `down`, new ones too. */
  cutAll(down = false): void {
    this.down = down;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Every block of either direction arrives this much later. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  disarm(): void {
    this.rules.disarm();
    this.down = false;
    this.delayMs = 0;
  }

  async stop(): Promise<void> {
    this.cutAll(true);
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket): void {
    if (this.down) return void client.destroy();
    const upstream = connect({ host: '127.0.0.1', port: this.upstreamPort });
    const end = () => {
      for (const socket of [client, upstream]) {
        this.sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, upstream]) {
      this.sockets.add(socket);
      socket.setNoDelay(true).on('error', end).on('close', end);
    }
    const connection = { cut: end };
    let said = '';
    /** Rules whose statement the server has heard and not yet answered. */
    let answerDue: TcpRule[] = [];
    const toServer = this.lane(upstream, async (data) => {
      const text = data.toString('latin1');
      const matches = (rule: TcpRule) => text.includes(rule.text) && (rule.since === undefined || said.includes(rule.since));
      for (const rule of [...this.rules.due(matches)]) {
        if (rule.moment === 'before') await rule.act(connection);
        else answerDue.push(rule);
      }
      if (!this.rules.isEmpty) said = (said + text).slice(-20_000);
    });
    const toClient = this.lane(client, async () => {
      const now = answerDue;
      answerDue = [];
      for (const rule of now) await rule.act(connection);
    });
    client.on('data', toServer);
    upstream.on('data', toClient);
  }

  /** Blocks in their order, each after what is due on it. */
  private lane(target: Socket, onBlock: (data: Buffer) => Promise<void>): (data: Buffer) => void {
    let last: Promise<void> = Promise.resolve();
    return (data) => {
      last = last.then(async () => {
        if (this.delayMs > 0) await sleep(this.delayMs);
        await onBlock(data);
        if (!target.destroyed) target.write(data);
      });
    };
  }
}
