import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

const CONNECT_TIMEOUT = '10 seconds';

/**
 * A Temporal client by the environment configuration.
 * @throws Error that names the address and the next step when no server answers
 */
export async function withTemporal<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...connectionOptions, connectTimeout: CONNECT_TIMEOUT });
  } catch (error) {
    throw new Error(
      `No Temporal server answers at ${connectionOptions.address ?? 'localhost:7233'}: expected the local stack's (\`npx meridian up\`) ` +
        `or the one that TEMPORAL_ADDRESS names (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  try {
    return await use(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}
