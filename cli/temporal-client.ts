import { Client, Connection } from '@temporalio/client';
import { readTemporalSettings } from '../edge/temporal-settings';

const CONNECT_TIMEOUT = '10 seconds';

/**
 * A Temporal client by the environment configuration, which decrypts what the payload keys can.
 * @throws Error that names the address and the next step when no server answers
 */
export async function withTemporal<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const { address, connectionOptions, namespace, dataConverter } = readTemporalSettings(process.env);
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...connectionOptions, connectTimeout: CONNECT_TIMEOUT });
  } catch (error) {
    throw new Error(
      `No Temporal server answers at ${address}: expected the local stack's (\`npx meridian up\`) ` +
        `or the one that TEMPORAL_ADDRESS names (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  try {
    return await use(new Client({ connection, namespace, dataConverter }));
  } finally {
    await connection.close();
  }
}
