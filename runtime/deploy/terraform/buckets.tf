resource "aws_s3_bucket" "modules" {
  bucket = var.modules_bucket
}

resource "aws_s3_bucket" "payloads" {
  bucket = var.payloads_bucket
}

locals {
  buckets = {
    modules  = aws_s3_bucket.modules.id
    payloads = aws_s3_bucket.payloads.id
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = local.buckets
  bucket                  = each.value
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets
  bucket   = each.value
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# Modules, plans and claims are kept: an execution may need them for a year.
resource "aws_s3_bucket_lifecycle_configuration" "modules" {
  bucket = aws_s3_bucket.modules.id
  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "payloads" {
  bucket = aws_s3_bucket.payloads.id
  rule {
    id     = "expire-payloads"
    status = "Enabled"
    filter {}
    expiration {
      days = var.payload_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}
