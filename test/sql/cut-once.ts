import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { ClientConfig } from 'pg';

export interface Cutter {
  readonly port: number;
  cuts(): number;
  close(): void;
}

/**
 * A way to PostgreSQL that breaks a connection once, at the message that has `text` in it: before the server hears of it, or
 * when the server has answered, which for a statement of its own is after its commit; the client hears of neither.
 */
export async function cutOnce(server: ClientConfig, text: string, when: 'before the swap' | 'after the commit'): Promise<Cutter> {
  let cuts = 0;
  const proxy = createServer((client) => {
    const upstream = connect({ host: server.host ?? '', port: server.port ?? 0 });
    let withhold = false;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on('error', end).on('close', end);
    upstream.on('error', end).on('close', end);
    client.on('data', (data) => {
      if (cuts === 0 && data.includes(text)) {
        cuts += 1;
        if (when === 'before the swap') return end();
        withhold = true;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => (withhold ? end() : client.write(data)));
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return { port: (proxy.address() as AddressInfo).port, cuts: () => cuts, close: () => proxy.close() };
}
