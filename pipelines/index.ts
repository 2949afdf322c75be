import type { PipelineSpec } from '../domain/pipeline-spec';
import { mobileGeolocation } from './mobile-geolocation';

/** Every declared pipeline. A new one is its file and a line here (X15). */
export const pipelines: readonly PipelineSpec[] = [mobileGeolocation];
