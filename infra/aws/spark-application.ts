import { CfnCondition, CfnParameter, Duration, Fn, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { Repository, RepositoryEncryption, TagMutability, TagStatus } from 'aws-cdk-lib/aws-ecr';
import { CfnApplication } from 'aws-cdk-lib/aws-emrserverless';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { OptionalParameter } from './optional-parameter';
import type { SparkApplicationProps } from './spark-application-props';
import { warmWorkerSize } from './warm-workers';

/** Spark 3.5, Scala 2.12: what the jobs' Sedona and Deequ are built for. */
const RELEASE = 'emr-7.10.0';

const PYTHON = '/usr/bin/python3.11';
const SPARK_DEFAULTS = {
  'spark.sql.extensions': 'org.apache.sedona.sql.SedonaSqlExtensions',
  'spark.serializer': 'org.apache.spark.serializer.KryoSerializer',
  'spark.kryo.registrator': 'org.apache.sedona.core.serde.SedonaKryoRegistrator',
  'spark.emr-serverless.driverEnv.PYSPARK_PYTHON': PYTHON,
  'spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON': PYTHON,
  'spark.executorEnv.PYSPARK_PYTHON': PYTHON,
};

/**
 * The EMR Serverless application that runs the Sedona jobs, and the repository of its image (S0.4, S0.5). Nothing runs, and
 * nothing is paid, while no job does.
 */
export class SparkApplication extends Construct {
  readonly repository: Repository;
  readonly application: CfnApplication;

  constructor(scope: Construct, id: string, { pipelines }: SparkApplicationProps) {
    super(scope, id);
    this.repository = new Repository(this, 'Image', {
      encryption: RepositoryEncryption.AES_256,
      imageScanOnPush: true,
      imageTagMutability: TagMutability.IMMUTABLE,
      lifecycleRules: [{ tagStatus: TagStatus.UNTAGGED, maxImageAge: Duration.days(7) }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const applications = Stack.of(this).formatArn({
      service: 'emr-serverless',
      resource: '/applications',
      resourceName: '*',
    });
    this.repository.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('emr-serverless.amazonaws.com')],
        actions: ['ecr:BatchGetImage', 'ecr:DescribeImages', 'ecr:GetDownloadUrlForLayer'],
        conditions: { StringLike: { 'aws:SourceArn': applications } },
      }),
    );

    // The repository must exist before an image can be in it: the first deployment goes without.
    const imageTag = new CfnParameter(this, 'ImageTag', {
      type: 'String',
      default: '',
      description: 'Tag of the Spark image with Sedona in the repository of this stack; empty: the plain EMR image',
    });
    imageTag.overrideLogicalId('SparkImageTag');
    const hasImage = new CfnCondition(this, 'HasImage', {
      expression: Fn.conditionNot(Fn.conditionEquals(imageTag.valueAsString, '')),
    });

    const warmExecutors = new OptionalParameter(this, 'WarmExecutors', {
      name: 'SparkWarmExecutors',
      description: 'Executors, with a driver, that stand ready while the application is started, and are paid for until it has idled; empty: each job starts its own',
      pattern: '^[1-9][0-9]?$',
      constraint: 'must be a number from 1 to 99',
    });
    const idleMinutes = new CfnParameter(this, 'IdleMinutes', {
      type: 'Number',
      default: 5,
      minValue: 1,
      maxValue: 1_440,
      description: 'Minutes without a job after which the application stops, its warm executors with it',
    });
    idleMinutes.overrideLogicalId('SparkIdleMinutes');

    this.application = new CfnApplication(this, 'Application', {
      name: 'meridian',
      type: 'SPARK',
      releaseLabel: RELEASE,
      architecture: 'X86_64',
      autoStartConfiguration: { enabled: true },
      autoStopConfiguration: { enabled: true, idleTimeoutMinutes: idleMinutes.valueAsNumber },
      initialCapacity: warmExecutors.whenSet([
        { Key: 'Driver', Value: { WorkerCount: 1, WorkerConfiguration: warmWorkerSize(pipelines, 'driver') } },
        { Key: 'Executor', Value: { WorkerCount: warmExecutors.value, WorkerConfiguration: warmWorkerSize(pipelines, 'executor') } },
      ]),
      // The ceiling of what all running jobs together may cost.
      maximumCapacity: { cpu: '400 vCPU', memory: '3000 GB', disk: '8000 GB' },
      schedulerConfiguration: { maxConcurrentRuns: 15, queueTimeoutMinutes: 60 },
      imageConfiguration: Fn.conditionIf(
        hasImage.logicalId,
        { ImageUri: this.repository.repositoryUriForTag(imageTag.valueAsString) },
        Token.asString({ Ref: 'AWS::NoValue' }),
      ),
      // As jobs/Dockerfile lays the image out.
      runtimeConfiguration: Fn.conditionIf(
        hasImage.logicalId,
        [{ Classification: 'spark-defaults', Properties: SPARK_DEFAULTS }],
        Token.asString({ Ref: 'AWS::NoValue' }),
      ),
    });
  }
}
