//! Clouds, whose credentials have several parts.

use std::time::Duration;

use dns_update::providers::azuredns::{AzureDnsConfig, AzureEnvironment};
use dns_update::providers::edgedns::EdgeDnsConfig;
use dns_update::providers::google_cloud_dns::GoogleCloudDnsConfig;
use dns_update::providers::lightsail::LightsailConfig;
use dns_update::providers::oraclecloud::OracleCloudConfig;
use dns_update::providers::route53::Route53Config;
use dns_update::providers::volcengine::VolcengineConfig;
use dns_update::providers::yandexcloud::YandexCloudConfig;
use dns_update::{DnsUpdater, Error};

use super::row::{DEFAULTS, Defaults, ROW, Row, Tried, api, instead, optional, refuses, refuses_but, required};
use crate::provider::values::Values;

const AWS_KEYS: &str = "roles and profiles are not supported: give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
const AZURE_SECRET: &str = "only a client secret is supported: give AZURE_CLIENT_SECRET";
const OCI_KEY: &str = "only an API key of a user's is supported: give OCI_PRIVATE_KEY_PATH";

pub(super) static ROWS: &[Row] = &[
    Row {
        code: "alidns",
        name: "Alibaba Cloud DNS",
        prefixes: &["ALICLOUD"],
        variables: &[
            required(&["ALICLOUD_ACCESS_KEY"]),
            required(&["ALICLOUD_SECRET_KEY"]),
            optional(&["ALICLOUD_SECURITY_TOKEN"]),
            optional(&["ALICLOUD_REGION_ID"]).public(),
            optional(&["ALICLOUD_LINE"]).public(),
        ],
        refused: &[refuses("ALICLOUD_RAM_ROLE", "roles of an instance are not supported: give an access key")],
        defaults: Defaults { ttl: 600, http: 10, ..DEFAULTS },
        means: api(alidns),
        ..ROW
    },
    Row {
        code: "azuredns",
        name: "Azure DNS",
        prefixes: &["AZURE"],
        variables: &[
            required(&["AZURE_TENANT_ID"]).public(),
            required(&["AZURE_CLIENT_ID"]).public(),
            required(&["AZURE_CLIENT_SECRET"]),
            required(&["AZURE_SUBSCRIPTION_ID"]).public(),
            required(&["AZURE_RESOURCE_GROUP"]).public(),
            optional(&["AZURE_ENVIRONMENT"]).or("public").public(),
        ],
        refused: &[
            refuses_but("AZURE_AUTH_METHOD", &["env"], AZURE_SECRET),
            instead("AZURE_CLIENT_CERTIFICATE_PATH", AZURE_SECRET),
            refuses_but("AZURE_PRIVATE_ZONE", &["0", "f", "false"], "a CA can't see private zones"),
            refuses("AZURE_ZONE_NAME", "the zone is found by DNS: leave it unset"),
        ],
        defaults: Defaults { ttl: 60, propagation: 120, ..DEFAULTS },
        means: api(azuredns),
        ..ROW
    },
    Row {
        code: "baiducloud",
        name: "Baidu Cloud",
        prefixes: &["BAIDUCLOUD"],
        variables: &[required(&["BAIDUCLOUD_ACCESS_KEY_ID"]), required(&["BAIDUCLOUD_SECRET_ACCESS_KEY"])],
        defaults: Defaults { ttl: 300, ..DEFAULTS },
        means: api(|values, timeout| {
            let (id, key) = ("BAIDUCLOUD_ACCESS_KEY_ID", "BAIDUCLOUD_SECRET_ACCESS_KEY");
            DnsUpdater::new_baiducloud(values.text(id), values.text(key), timeout)
        }),
        ..ROW
    },
    Row {
        code: "edgedns",
        aliases: &["fastdns"],
        name: "Akamai Edge DNS",
        prefixes: &["AKAMAI"],
        variables: &[
            required(&["AKAMAI_HOST"]).public(),
            required(&["AKAMAI_CLIENT_TOKEN"]),
            required(&["AKAMAI_CLIENT_SECRET"]),
            required(&["AKAMAI_ACCESS_TOKEN"]),
            optional(&["AKAMAI_ACCOUNT_SWITCH_KEY"]),
        ],
        refused: &[instead("AKAMAI_EDGERC", "give AKAMAI_HOST and the tokens in variables instead of an .edgerc file")],
        defaults: Defaults { propagation: 180, polling: 15, ..DEFAULTS },
        means: api(edgedns),
        ..ROW
    },
    Row {
        code: "gcloud",
        name: "Google Cloud",
        prefixes: &["GCE"],
        variables: &[
            required(&["GCE_SERVICE_ACCOUNT"]),
            optional(&["GCE_PROJECT"]).public(),
            optional(&["GCE_ZONE_ID"]).public(),
            optional(&["GCE_ALLOW_PRIVATE_ZONE"]).public(),
            optional(&["GCE_IMPERSONATE_SERVICE_ACCOUNT"]).public(),
        ],
        defaults: Defaults { propagation: 180, polling: 5, ..DEFAULTS },
        means: api(gcloud),
        note: "it takes the JSON of a service account; the machine's own credentials are not asked for",
        ..ROW
    },
    Row {
        code: "huaweicloud",
        name: "Huawei Cloud",
        prefixes: &["HUAWEICLOUD"],
        variables: &[
            required(&["HUAWEICLOUD_ACCESS_KEY_ID"]),
            required(&["HUAWEICLOUD_SECRET_ACCESS_KEY"]),
            required(&["HUAWEICLOUD_REGION"]).public(),
        ],
        defaults: Defaults { ttl: 300, ..DEFAULTS },
        means: api(|values, timeout| {
            let (id, key) = ("HUAWEICLOUD_ACCESS_KEY_ID", "HUAWEICLOUD_SECRET_ACCESS_KEY");
            let region = values.text("HUAWEICLOUD_REGION");
            DnsUpdater::new_huaweicloud(values.text(id), values.text(key), region, timeout)
        }),
        ..ROW
    },
    Row {
        code: "ibmcloud",
        name: "IBM Cloud (SoftLayer)",
        prefixes: &["SOFTLAYER"],
        http_timeout: "TIMEOUT",
        variables: &[required(&["SOFTLAYER_USERNAME"]), required(&["SOFTLAYER_API_KEY"])],
        means: api(|values, timeout| {
            DnsUpdater::new_ibmcloud(values.text("SOFTLAYER_USERNAME"), values.text("SOFTLAYER_API_KEY"), timeout)
        }),
        ..ROW
    },
    Row {
        code: "lightsail",
        name: "Amazon Lightsail",
        prefixes: &["LIGHTSAIL"],
        variables: &[
            required(&["AWS_ACCESS_KEY_ID"]),
            required(&["AWS_SECRET_ACCESS_KEY"]),
            optional(&["AWS_SESSION_TOKEN"]),
            optional(&["DNS_ZONE"]).public(),
            optional(&["LIGHTSAIL_REGION"]).or("us-east-1").public(),
        ],
        refused: &[instead("AWS_PROFILE", AWS_KEYS)],
        defaults: Defaults { propagation: 120, ..DEFAULTS },
        means: api(lightsail),
        ..ROW
    },
    Row {
        code: "oraclecloud",
        name: "Oracle Cloud",
        prefixes: &["OCI"],
        variables: &[
            required(&["OCI_COMPARTMENT_OCID"]).public(),
            required(&["OCI_REGION", "TF_VAR_region"]).public(),
            required(&["OCI_TENANCY_OCID", "TF_VAR_tenancy_ocid"]).public(),
            required(&["OCI_USER_OCID", "TF_VAR_user_ocid"]).public(),
            required(&["OCI_FINGERPRINT", "OCI_PUBKEY_FINGERPRINT", "TF_VAR_fingerprint"]).public(),
            required(&["OCI_PRIVATE_KEY", "OCI_PRIVKEY"])
                .or_in_file(&["OCI_PRIVATE_KEY_PATH", "TF_VAR_private_key_path"]),
            optional(&["OCI_PRIVATE_KEY_PASSWORD", "OCI_PRIVKEY_PASS", "TF_VAR_private_key_password"]),
        ],
        refused: &[refuses("OCI_AUTH_TYPE", OCI_KEY)],
        defaults: Defaults { http: 60, ..DEFAULTS },
        means: api(oraclecloud),
        ..ROW
    },
    Row {
        code: "route53",
        name: "Amazon Route 53",
        prefixes: &["AWS"],
        variables: &[
            required(&["AWS_ACCESS_KEY_ID"]),
            required(&["AWS_SECRET_ACCESS_KEY"]),
            optional(&["AWS_SESSION_TOKEN"]),
            optional(&["AWS_REGION"]).or("us-east-1").public(),
            optional(&["AWS_HOSTED_ZONE_ID"]).public(),
            optional(&["AWS_PRIVATE_ZONE"]).public(),
        ],
        refused: &[refuses("AWS_ASSUME_ROLE_ARN", AWS_KEYS), instead("AWS_PROFILE", AWS_KEYS)],
        defaults: Defaults { ttl: 10, propagation: 120, polling: 4, ..DEFAULTS },
        means: api(route53),
        tried: Tried::Stub,
        note: "where a private zone has the same name as the public one, AWS_HOSTED_ZONE_ID says which is meant",
        ..ROW
    },
    Row {
        code: "tencentcloud",
        name: "Tencent Cloud DNS",
        prefixes: &["TENCENTCLOUD"],
        variables: &[
            required(&["TENCENTCLOUD_SECRET_ID"]),
            required(&["TENCENTCLOUD_SECRET_KEY"]),
            optional(&["TENCENTCLOUD_SESSION_TOKEN"]),
            optional(&["TENCENTCLOUD_REGION"]).public(),
        ],
        defaults: Defaults { ttl: 600, ..DEFAULTS },
        means: api(tencentcloud),
        ..ROW
    },
    Row {
        code: "volcengine",
        name: "Volcano Engine",
        prefixes: &["VOLC"],
        variables: &[
            required(&["VOLC_ACCESSKEY"]),
            required(&["VOLC_SECRETKEY"]),
            optional(&["VOLC_REGION"]).public(),
            optional(&["VOLC_HOST"]).public(),
            optional(&["VOLC_SCHEME"]).public(),
        ],
        defaults: Defaults { ttl: 600, propagation: 240, polling: 10, http: 15, ..DEFAULTS },
        means: api(volcengine),
        ..ROW
    },
    Row {
        code: "yandexcloud",
        name: "Yandex Cloud",
        prefixes: &["YANDEX_CLOUD"],
        variables: &[required(&["YANDEX_CLOUD_IAM_TOKEN"]), required(&["YANDEX_CLOUD_FOLDER_ID"]).public()],
        defaults: Defaults { ttl: 60, ..DEFAULTS },
        means: api(|values, timeout| {
            DnsUpdater::new_yandexcloud(YandexCloudConfig {
                iam_token_b64: values.text("YANDEX_CLOUD_IAM_TOKEN").to_owned(),
                folder_id: values.text("YANDEX_CLOUD_FOLDER_ID").to_owned(),
                request_timeout: timeout,
            })
        }),
        ..ROW
    },
];

fn owned(values: &Values, name: &str) -> Option<String> {
    values.get(name).map(str::to_owned)
}

fn alidns(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    DnsUpdater::new_alidns(
        values.text("ALICLOUD_ACCESS_KEY"),
        values.text("ALICLOUD_SECRET_KEY"),
        values.get("ALICLOUD_REGION_ID"),
        values.get("ALICLOUD_SECURITY_TOKEN"),
        values.get("ALICLOUD_LINE"),
        timeout,
    )
}

fn azuredns(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    let text = |name| values.text(name).to_owned();
    let environment = match values.text("AZURE_ENVIRONMENT") {
        "public" => AzureEnvironment::Public,
        "china" => AzureEnvironment::China,
        "usgovernment" => AzureEnvironment::UsGovernment,
        _ => return Err(Error::Parse("AZURE_ENVIRONMENT: expected public, china or usgovernment".to_owned())),
    };
    DnsUpdater::new_azuredns(AzureDnsConfig {
        tenant_id: text("AZURE_TENANT_ID"),
        client_id: text("AZURE_CLIENT_ID"),
        client_secret: text("AZURE_CLIENT_SECRET"),
        subscription_id: text("AZURE_SUBSCRIPTION_ID"),
        resource_group: text("AZURE_RESOURCE_GROUP"),
        environment,
        request_timeout: timeout,
    })
}

fn edgedns(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    let text = |name| values.text(name).to_owned();
    DnsUpdater::new_edgedns(EdgeDnsConfig {
        host: text("AKAMAI_HOST"),
        client_token: text("AKAMAI_CLIENT_TOKEN"),
        client_secret: text("AKAMAI_CLIENT_SECRET"),
        access_token: text("AKAMAI_ACCESS_TOKEN"),
        account_switch_key: owned(values, "AKAMAI_ACCOUNT_SWITCH_KEY"),
        request_timeout: timeout,
    })
}

fn gcloud(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    let account = values.text("GCE_SERVICE_ACCOUNT");
    let project = match values.get("GCE_PROJECT") {
        Some(project) => project.to_owned(),
        None => serde_json::from_str::<serde_json::Value>(account)
            .ok()
            .and_then(|account| account["project_id"].as_str().map(str::to_owned))
            .ok_or_else(|| Error::Parse("GCE_SERVICE_ACCOUNT: expected JSON with a project_id".to_owned()))?,
    };
    DnsUpdater::new_google_cloud_dns(GoogleCloudDnsConfig {
        service_account_json: account.to_owned(),
        project_id: project,
        managed_zone: owned(values, "GCE_ZONE_ID"),
        private_zone: values.flag("GCE_ALLOW_PRIVATE_ZONE"),
        impersonate_service_account: owned(values, "GCE_IMPERSONATE_SERVICE_ACCOUNT"),
        request_timeout: timeout,
    })
}

fn lightsail(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    DnsUpdater::new_lightsail(LightsailConfig {
        access_key_id: values.text("AWS_ACCESS_KEY_ID").to_owned(),
        secret_access_key: values.text("AWS_SECRET_ACCESS_KEY").to_owned(),
        session_token: owned(values, "AWS_SESSION_TOKEN"),
        region: owned(values, "LIGHTSAIL_REGION"),
        domain: owned(values, "DNS_ZONE"),
        request_timeout: timeout,
    })
}

fn oraclecloud(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    let text = |name| values.text(name).to_owned();
    DnsUpdater::new_oraclecloud(OracleCloudConfig {
        tenancy_ocid: text("OCI_TENANCY_OCID"),
        user_ocid: text("OCI_USER_OCID"),
        fingerprint: text("OCI_FINGERPRINT"),
        private_key_pem: text("OCI_PRIVATE_KEY"),
        private_key_password: owned(values, "OCI_PRIVATE_KEY_PASSWORD"),
        region: text("OCI_REGION"),
        compartment_ocid: text("OCI_COMPARTMENT_OCID"),
        request_timeout: timeout,
    })
}

fn route53(values: &Values, _timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    DnsUpdater::new_route53(Route53Config {
        access_key_id: values.text("AWS_ACCESS_KEY_ID").to_owned(),
        secret_access_key: values.text("AWS_SECRET_ACCESS_KEY").to_owned(),
        session_token: owned(values, "AWS_SESSION_TOKEN"),
        region: owned(values, "AWS_REGION"),
        hosted_zone_id: owned(values, "AWS_HOSTED_ZONE_ID"),
        private_zone_only: Some(values.flag("AWS_PRIVATE_ZONE")),
        endpoint: None,
    })
}

fn tencentcloud(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    DnsUpdater::new_tencentcloud(
        values.text("TENCENTCLOUD_SECRET_ID"),
        values.text("TENCENTCLOUD_SECRET_KEY"),
        values.get("TENCENTCLOUD_REGION"),
        values.get("TENCENTCLOUD_SESSION_TOKEN"),
        timeout,
    )
}

fn volcengine(values: &Values, timeout: Option<Duration>) -> dns_update::Result<DnsUpdater> {
    DnsUpdater::new_volcengine(VolcengineConfig {
        access_key: values.text("VOLC_ACCESSKEY").to_owned(),
        secret_key: values.text("VOLC_SECRETKEY").to_owned(),
        region: owned(values, "VOLC_REGION"),
        host: owned(values, "VOLC_HOST"),
        scheme: owned(values, "VOLC_SCHEME"),
        request_timeout: timeout,
    })
}
