variable "domain" {
  description = "SWF domain, `domain` of cpe.yaml."
  type        = string
  default     = "cpe"
}

variable "retention_days" {
  description = "How long SWF keeps the histories of closed executions."
  type        = number
  default     = 30
}

variable "prefix" {
  description = "Put before the names of all queues and policies."
  type        = string
  default     = "cpe-"
}

variable "clients" {
  description = "Names of the clients: each gets three queues and a policy."
  type        = set(string)
}

variable "modules_bucket" {
  description = "`modules.bucket` of cpe.yaml."
  type        = string
}

variable "payloads_bucket" {
  description = "`payloads.bucket` of cpe.yaml; another one than that of the modules, for its objects expire."
  type        = string
}

variable "payloads_prefix" {
  description = "`payloads.prefix` of cpe.yaml: a client reads what stands under it and its own name."
  type        = string
  default     = "payloads/"
}

variable "payload_days" {
  description = "How long texts that SWF does not take are kept: longer than a job runs and its history is kept."
  type        = number
  default     = 60
}

variable "data_buckets" {
  description = "Buckets, made elsewhere, that clients' activities read and write."
  type        = set(string)
  default     = []
}
